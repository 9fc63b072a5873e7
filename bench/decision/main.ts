import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DEFAULT_PLACEMENT_POLICY, place } from '@berth/placement'
import { buildFleet, chatJob, talkJob, warmUp } from './fleet.ts'

const SIZES = [10, 100, 1_000, 10_000]
const WARM_UP_MS = 300
const MEASURE_MS = 1_500

interface Row {
  readonly pools: number
  /** The job has a long prompt, of which pools hold more or less. */
  readonly affinity: boolean
  readonly decisions: number
  readonly p50_us: number
  readonly p99_us: number
  readonly bytes_per_decision: number
}

/** Times single decisions, then the memory that many of them take. */
const measure = (pools: number, affinity: boolean): Row => {
  const view = buildFleet(pools)
  warmUp(view)
  const job = affinity ? talkJob() : chatJob
  const decide = () => place(view, job, DEFAULT_PLACEMENT_POLICY, 1)
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
    ...{ pools, affinity },
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
const rows = SIZES.flatMap((pools) => [measure(pools, false), measure(pools, true)])
process.stdout.write('place(): one decision where every pool has the model\n')
process.stdout.write('   pools  affinity  decisions   p50 us   p99 us   bytes\n')
for (const row of rows) {
  const { pools, decisions, p50_us, p99_us, bytes_per_decision } = row
  const affinity = row.affinity ? 'with' : 'without'
  const cells = [pools, affinity, decisions, p50_us, p99_us, bytes_per_decision]
  const widths = [8, 9, 10, 8, 8, 7]
  process.stdout.write(`${cells.map((cell, n) => String(cell).padStart(widths[n]!)).join(' ')}\n`)
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ bench: 'decision', rows })}\n`)
