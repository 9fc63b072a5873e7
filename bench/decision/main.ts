import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DEFAULT_PLACEMENT_POLICY, place } from '@berth/placement'
import { buildFleet, chatJob } from './fleet.ts'

const SIZES = [10, 100, 1_000, 10_000]
const WARM_UP_MS = 300
const MEASURE_MS = 1_500

interface Row {
  readonly pools: number
  readonly decisions: number
  readonly p50_us: number
  readonly p99_us: number
  readonly bytes_per_decision: number
}

/** Times single decisions, then the memory that many of them take. */
const measure = (pools: number): Row => {
  const view = buildFleet(pools)
  const decide = () => place(view, chatJob, DEFAULT_PLACEMENT_POLICY, 1)
  repeatFor(WARM_UP_MS, decide)
  const samples: number[] = []
  repeatFor(MEASURE_MS, () => {
    const startedAt = process.hrtime.bigint()
    decide()
    samples.push(Number(process.hrtime.bigint() - startedAt) / 1_000)
  })
  samples.sort((a, b) => a - b)
  const at = (share: number) => round(samples[Math.floor(share * (samples.length - 1))]!)
  return {
    pools,
    decisions: samples.length,
    p50_us: at(0.5),
    p99_us: at(0.99),
    bytes_per_decision: bytesPerDecision(decide),
  }
}

const repeatFor = (ms: number, run: () => void) => {
  const end = performance.now() + ms
  while (performance.now() < end) run()
}

/** Growth of the young heap over a run too short for a collection; the least of five. */
const bytesPerDecision = (decide: () => unknown): number => {
  const runs = 500
  const grown = Array.from({ length: 5 }, () => {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    for (let n = 0; n < runs; n++) decide()
    return (process.memoryUsage().heapUsed - before) / runs
  })
  return Math.max(0, Math.round(Math.min(...grown)))
}

const round = (value: number) => Math.round(value * 10) / 10

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const rows = SIZES.map(measure)
process.stdout.write('place(): one decision where every pool has the model\n')
process.stdout.write('   pools  decisions   p50 us   p99 us   bytes\n')
for (const row of rows) {
  const cells = [row.pools, row.decisions, row.p50_us, row.p99_us, row.bytes_per_decision]
  const widths = [8, 10, 8, 8, 7]
  process.stdout.write(`${cells.map((cell, n) => String(cell).padStart(widths[n]!)).join(' ')}\n`)
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ bench: 'decision', rows })}\n`)
