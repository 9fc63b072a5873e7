import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { markdownTable } from '../markdown-table.ts'
import { startPlaceFleet } from './fleet.ts'
import type { PlaceResult } from './gateway.ts'
import { runChild } from './run-child.ts'

// Acquire to Assigned over the session stream, as a gateway process sees it, against a server of
// the same stream that decides nothing, in the same run.
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    rates: { type: 'string', default: '1000,5000' },
  },
})
// Others' work on the same cores is in every number below: the report says how much there was.
const loadBefore = round(loadavg()[0] ?? 0)

await using fleet = await startPlaceFleet()
using echo = await runChild('echo.ts')
const rows = []
for (const rate of values.rates.split(',').map(Number)) {
  const ask = async (core: string) => {
    using gateway = await runChild('gateway.ts', { core, rate, seconds: values.seconds })
    return JSON.parse(gateway.line) as PlaceResult
  }
  rows.push(row(rate, await ask(`127.0.0.1:${echo.line}`), await ask(fleet.address)))
}

process.stdout.write(markdownTable(rows))
const machine = `${cpus().length} x ${cpus()[0]?.model}`
const report = { bench: 'place', machine, load_average_before: loadBefore, rows }
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)

function row(rate: number, echoed: PlaceResult, placed: PlaceResult) {
  return {
    req_per_s: rate,
    pools: fleet.pools,
    sent: placed.sent,
    not_at_once: placed.sent - placed.answered,
    echo_p50_ms: round(echoed.p50),
    echo_p95_ms: round(echoed.p95),
    echo_p99_ms: round(echoed.p99),
    place_p50_ms: round(placed.p50),
    place_p95_ms: round(placed.p95),
    place_p99_ms: round(placed.p99),
    ratio_p50: round(placed.p50 / echoed.p50),
    ratio_p95: round(placed.p95 / echoed.p95),
    late_p99_ms: round(placed.late_p99),
  }
}

function round(value: number) {
  return Math.round(value * 100) / 100
}
