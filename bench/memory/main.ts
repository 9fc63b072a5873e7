import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { markdownTable } from '../markdown-table.ts'
import { bytesGrown } from './bytes-grown.ts'
import { chainOf, createMemoryCore, type JobDraft, type MemoryCore } from './memory-core.ts'

// What core keeps of each thing: heap and buffers of the real coordinator, before and after it was
// given many of them.
const POOL_BUDGET = 10_000
/** The longest prompt a gateway tells core of, in blocks. */
const CHAIN_BLOCKS = 64
const COUNT = 10_000
/** Jobs that fill what is bounded, such as the log of decisions, before anything is counted. */
const BEFORE = 3_000
/** Of eight pools. */
const SLOTS = 512

interface Row {
  readonly what: string
  readonly count: number
  readonly bytes_each: number
  readonly budget: number | undefined
}

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const rows: Row[] = []
const note = (what: string, count: number, bytes: number, budget?: number) =>
  void rows.push({ what, count, bytes_each: Math.round(bytes / count), budget })

// Once for nothing: compiled code and what is made once are of no pool.
for (const count of [100, 100, 1_000, 10_000]) {
  const core = createMemoryCore()
  const known = bytesGrown(core, () => core.addPools(count))
  const served = bytesGrown(core, () => core.learn(0, 1))
  const warm = bytesGrown(core, () => core.learn(CHAIN_BLOCKS, 1))
  if (count === 100) rows.length = 0
  note('pool: snapshot and view', count, known, POOL_BUDGET)
  note('pool: and what it served', count, known + served, POOL_BUDGET)
  note('pool: and one prompt of 128 KB', count, known + served + warm)
}
const core = createMemoryCore()
core.addPools(100)
note(
  'prefix index of a pool, full',
  100,
  bytesGrown(core, () => core.learn(CHAIN_BLOCKS, 200)),
)

const waiting = fill('waiting', (of, n) => of.acquire(n))
note('queued job', COUNT, waiting)
const prompts = fill('waiting', (of, n) => of.acquire(n, { prefixChain: chainOf(CHAIN_BLOCKS, n) }))
note('queued job with a prompt of 128 KB', COUNT, prompts)
const tenants = fill('waiting', (of, n) => of.acquire(n, { tenant: `tenant-${n}` }))
note('tenant that waits', COUNT, tenants - waiting)
note(
  'session',
  COUNT,
  fill('served', (of, n) => of.run(n, { sessionId: `session-${n}` })),
)
const budget = { tokens: 1_000_000n, timeMs: 600_000n, costMicros: 5_000_000n }
const limited = fill('served', (of, n) => of.run(n, { sessionId: `session-${n}`, budget }))
note('session with a budget', COUNT, limited)
note(
  'account of a key',
  COUNT,
  fill('served', (of, n) => of.run(n, { keyId: `key-${n}` })),
)

process.stdout.write(markdownTable(rows))
if (values.json)
  writeFileSync(values.json, `${JSON.stringify({ bench: 'memory', rows }, null, 2)}\n`)
if (rows.some((row) => row.bytes_each > (row.budget ?? Infinity))) process.exitCode = 1

/** Bytes of many things, each made by a job of its own, on eight pools that are free or full. */
function fill(jobs: 'waiting' | 'served', make: (of: MemoryCore, n: number) => void): number {
  const of = createMemoryCore()
  of.addPools(8)
  const drafts: JobDraft[] = [{}, { sessionId: 'before' }, { keyId: 'before' }]
  for (let n = 0; n < BEFORE; n++) of.run(COUNT + n, drafts[n % drafts.length])
  if (jobs === 'waiting') for (let n = 0; n < SLOTS; n++) of.acquire(COUNT + BEFORE + n)
  of.settle()
  return bytesGrown(of, () => {
    for (let n = 0; n < COUNT; n++) make(of, n)
    of.settle()
  })
}
