import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { estimateMemory, type KnownEstimate } from '@berth/memory'
import { factsFromGguf, sparseGguf, writeGgufImage } from '@berth/model-files'
import { createHeaderReader } from '@berth/model-headers'
import type { EngineSpec } from '@berth/supervision'
import { startBareEngine, type BareEngine } from './bare-engine.ts'
import type { EstimateCase } from './estimate-grid.ts'

/** What was estimated before a start, and what llama-server said and took. Bytes. */
export interface EstimateRun {
  readonly name: string
  readonly estimate: KnownEstimate
  /** By use, as its log has it: rounded to a hundredth of a MiB a line. */
  readonly logged: Readonly<Record<string, number>>
  readonly loggedLines: number
  /** Private and shared memory of the process, when it was ready. */
  readonly residentBytes: number
}

/** Estimates a case from the header of its file, then runs it on `program` and reads its log. */
export const runEstimate = async (program: string, each: EstimateCase): Promise<EstimateRun> => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-estimate-'))
  try {
    const modelPath = join(dir, 'model.gguf')
    await writeGgufImage(modelPath, sparseGguf(each.shape))
    const spec: EngineSpec = {
      ...{ engine: 'llamacpp', mode: 'managed', modelId: 'm1', shutdownGraceMs: 5_000 },
      ...{ slots: each.slots, contextLength: each.contextLength, binaryPath: program },
      // A warm-up would read the holes of large models one by one.
      options: { warmup: false, ...each.options },
    }
    await using engine = await startBareEngine(spec, { grant: { modelPath } })
    const estimate = await estimateOf(engine, modelPath)
    await engine.untilReady()
    return { name: each.name, estimate, ...loggedBy(engine), residentBytes: residentOf(engine.pid) }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const reader = createHeaderReader({ nodePath: process.execPath })

const estimateOf = async ({ driver, spec }: BareEngine, path: string): Promise<KnownEstimate> => {
  const header = await reader.read(path)
  if (header.kind !== 'gguf') throw new Error('It is no GGUF file')
  const plan = driver.memoryPlan!(spec, { devices: ['cpu'] })
  const cpu = [{ deviceId: 'cpu', kind: 'cpu' }] as const
  const estimate = estimateMemory(factsFromGguf(header), plan, cpu)
  if (estimate.kind !== 'known') throw new Error(estimate.reason)
  return estimate
}

/** A buffer of a batch is told anew when it changes; all others add up. */
const LAST_COUNTS = new Set(['compute', 'output'])

const loggedBy = ({ driver, log }: BareEngine) => {
  const logged: Record<string, number> = {}
  let loggedLines = 0
  for (const line of log()) {
    const sign = driver.readLog?.(line)
    if (sign?.kind !== 'memory') continue
    loggedLines += 1
    const before = LAST_COUNTS.has(sign.use) ? 0 : (logged[sign.use] ?? 0)
    logged[sign.use] = before + sign.bytes
  }
  return { logged, loggedLines }
}

const residentOf = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
}

/** What a term of an estimate comes to; 0 where it has none. */
export const termOf = ({ terms }: KnownEstimate, name: string): number =>
  terms.find((term) => term.name === name)?.bytes ?? 0

/** Everything the log of a run says it holds. */
export const loggedTotal = ({ logged }: EstimateRun): number =>
  Object.values(logged).reduce((sum, bytes) => sum + bytes, 0)
