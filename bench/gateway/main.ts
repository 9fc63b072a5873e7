import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { Console } from 'node:console'
import { parseArgs } from 'node:util'
import { simPool, startFleet } from '@berth/test-support'
import { startFreeEngine } from './free-engine.ts'
import { runConstantRate, type LoadResult } from './constant-rate.ts'
import { quantile } from './quantile.ts'

// What gateway, core and ingress add to a request, against calling the same simulated engine
// directly, in the same run and at the same constant rates.
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    rates: { type: 'string', default: '100,500' },
  },
})
const seconds = Number(values.seconds)
// Others' work on the same cores is in every number below: the report says how much there was.
const loadBefore = round(loadavg()[0] ?? 0)
const MODEL = 'bench'
const body = JSON.stringify({
  model: MODEL,
  max_tokens: 8,
  messages: [{ role: 'user', content: 'Say something short.' }],
})

const pool = await simPool('bench', { model: MODEL, slots: 1_024 })
await using fleet = await startFleet({
  hosts: [{ hostId: 'bench', pools: [pool] }],
})
// The engine that Berth starts asks for a key of its own; this one is called without.
using direct = await startFreeEngine(MODEL)
const ways = { direct: direct.url, berth: fleet.url }

const rows = []
for (const rate of values.rates.split(',').map(Number)) {
  const at = (url: string, length: number) =>
    runConstantRate({ url: `${url}/v1/chat/completions`, body, perSecond: rate, seconds: length })
  for (const url of Object.values(ways)) await at(url, 2)
  rows.push(row(rate, await at(ways.direct, seconds), await at(ways.berth, seconds)))
}

new Console(process.stdout).table(rows)
const machine = `${cpus().length} x ${cpus()[0]?.model}`
const report = { bench: 'gateway', machine, load_average_before: loadBefore, rows }
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)

function row(rate: number, direct: LoadResult, berth: LoadResult) {
  const at = (result: LoadResult, q: number) => round(quantile(result.latenciesMs, q))
  const [d50, d99, b50, b99] = [at(direct, 0.5), at(direct, 0.99), at(berth, 0.5), at(berth, 0.99)]
  return {
    req_per_s: rate,
    sent: berth.sent,
    failed: direct.failed + berth.failed,
    direct_p50_ms: d50,
    direct_p99_ms: d99,
    berth_p50_ms: b50,
    berth_p99_ms: b99,
    added_p50_ms: round(b50 - d50),
    added_p99_ms: round(b99 - d99),
    ratio_p50: round(b50 / d50),
    ratio_p99: round(b99 / d99),
  }
}

function round(value: number) {
  return Math.round(value * 100) / 100
}
