import { readFileSync, writeFileSync } from 'node:fs'
import { Console } from 'node:console'
import { parseArgs } from 'node:util'
import { simPool, startFleet, until } from '@berth/test-support'
import { Agent, request } from 'undici'
import { quantile } from './quantile.ts'

// Many event streams at once through one gateway: that they all end as they should, and what
// memory that takes.
const { values } = parseArgs({
  options: { json: { type: 'string' }, streams: { type: 'string', default: '1000' } },
})
const count = Number(values.streams)
const TOKENS = 40
const MODEL = 'bench'

const pool = await simPool('bench', { model: MODEL, slots: count, knobs: { tokens_per_s: 4 } })
await using fleet = await startFleet({ hosts: [{ hostId: 'bench', pools: [pool] }] })
const pid = fleet.gateway.pid
const idleRssMb = rssMb(pid)
const agent = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
let open = 0
let peakRssMb = 0
const firstByteMs: number[] = []

const startMs = performance.now()
const sampling = setInterval(() => (peakRssMb = Math.max(peakRssMb, rssMb(pid))), 200)
const ends = Promise.all(Array.from({ length: count }, stream))
const peak = await until('every stream is open', () => (open === count ? rssMb(pid) : 0), 120_000)
const complete = (await ends).filter((isComplete) => isComplete).length
clearInterval(sampling)
await agent.close()

const row = {
  streams: count,
  complete,
  seconds: Math.round((performance.now() - startMs) / 100) / 10,
  first_byte_p50_ms: Math.round(quantile(firstByteMs, 0.5)),
  first_byte_p99_ms: Math.round(quantile(firstByteMs, 0.99)),
  gateway_rss_idle_mb: idleRssMb,
  gateway_rss_all_open_mb: peak,
  gateway_rss_peak_mb: peakRssMb,
  kb_per_stream: Math.round(((peakRssMb - idleRssMb) * 1_024) / count),
}
new Console(process.stdout).table([row])
if (values.json)
  writeFileSync(values.json, `${JSON.stringify({ bench: 'streams', rows: [row] }, null, 2)}\n`)
if (complete !== count) process.exitCode = 1

async function stream(): Promise<boolean> {
  const sentMs = performance.now()
  const answer = await request(`${fleet.url}/v1/chat/completions`, {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: MODEL,
      stream: true,
      ignore_eos: true,
      max_tokens: TOKENS,
      messages: [{ role: 'user', content: 'Count.' }],
    }),
  })
  let tail = ''
  for await (const chunk of answer.body) {
    if (tail === '') {
      open += 1
      firstByteMs.push(performance.now() - sentMs)
    }
    tail = (tail + String(chunk)).slice(-64)
  }
  return answer.statusCode === 200 && tail.endsWith('data: [DONE]\n\n')
}

function rssMb(of: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${of}/status`, 'utf8'))?.[1]
  return Math.round(Number(kb ?? 0) / 1_024)
}
