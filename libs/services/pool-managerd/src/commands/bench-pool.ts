import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { MeasurementSchema, type Measurement } from '@berth/contract'
import { BerthError, messageOf, type Clock } from '@berth/kernel'
import { measureRun } from '../pool/performance-run.ts'
import type { Sample } from '../pool/performance.ts'
import type { Pool } from '../pool/pool.ts'
import type { OperationEnd, Operations } from './operations.ts'

const DEFAULT_S = 10
const MAX_S = 60
/** Long enough to tell reading from a step, and to fit into a small context. */
const PROMPT_TOKENS = [128, 1_024] as const
const MAX_TOKENS = 64
const RUN_TIMEOUT_MS = 60_000
const ROUTE = '/v1/completions'

export interface BenchOptions {
  readonly operations: Operations
  readonly clock: Clock
}

/** Whether a pool can be measured now. Throws `POOL_UNREADY`, `UNSUPPORTED_OPERATION`. */
export const refuseBench = (pool: Pool, seconds: number): void => {
  const { spec, supervised, driver, keeper } = pool
  const facts = { facts: { pool_id: spec.poolId } }
  if (seconds > MAX_S)
    throw new BerthError('INVALID_PARAMS', `A bench takes ${MAX_S} s at most.`, facts)
  if (spec.engine.modelId === undefined || !driver.abilities.routes.includes(ROUTE)) {
    const why = `Pool ${spec.poolId} has no model that completes texts.`
    throw new BerthError('UNSUPPORTED_OPERATION', why, facts)
  }
  const isThere = keeper?.refusalOf(spec.engine.modelId) === undefined
  const { kind } = supervised.state
  if (kind === 'ready' && isThere) return
  const why = isThere
    ? `Pool ${spec.poolId} is ${kind}: only a ready pool can be measured.`
    : `Model ${spec.engine.modelId} is not in the memory of pool ${spec.poolId}: load it first.`
  throw new BerthError('POOL_UNREADY', why, facts)
}

/**
 * Measures a pool by lengths of prompt and requests at once, and ends the operation. It takes slots
 * as requests do, so that the engine never has more than it runs; what it learns goes to the
 * pool's figures. It ends early when the pool does, or when something else ends the operation.
 */
export const runBench = async (
  pool: Pool,
  { operationId, seconds }: { readonly operationId: string; readonly seconds: number },
  { operations, clock }: BenchOptions,
): Promise<void> => {
  const ending = new AbortController()
  const stop = operations.onChange((changed) => {
    if (changed.operationId === operationId && changed.completedAtMs) ending.abort()
  })
  const stopWatching = pool.onChange(() => {
    if (pool.supervised.state.kind !== 'ready') ending.abort()
  })
  try {
    const rounds = roundsOf(pool, (seconds || DEFAULT_S) * 1_000)
    for (const [index, round] of rounds.entries()) {
      const { concurrency, promptTokens } = round
      const step = `${concurrency} at once, ${promptTokens} tokens`
      operations.step(operationId, { step, percent: Math.round((100 * index) / rounds.length) })
      operations.measured(operationId, await measureRound(pool, round, { clock, ending }))
    }
    operations.end(operationId, ending.signal.aborted ? interrupted(pool) : { kind: 'completed' })
  } catch (error) {
    const reason = (error as Partial<BerthError>).reason ?? 'INTERNAL'
    operations.end(operationId, { kind: 'failed', reason, message: messageOf(error) })
  } finally {
    stop()
    stopWatching()
  }
}

interface Round {
  readonly promptTokens: number
  readonly concurrency: number
  readonly ms: number
}

/** Alone, half full and full; prompts only as long as a context has room for. */
const roundsOf = ({ slots, spec }: Pool, ms: number): readonly Round[] => {
  const { contextLength } = spec.engine
  const prompts = PROMPT_TOKENS.filter((tokens) => 2 * tokens + MAX_TOKENS <= contextLength)
  const loads = new Set([1, Math.ceil(slots.total / 2), slots.total])
  const pairs = (prompts.length > 0 ? prompts : [8]).flatMap((promptTokens) =>
    [...loads].map((concurrency) => ({ promptTokens, concurrency })),
  )
  return pairs.map((pair) => ({ ...pair, ms: ms / pairs.length }))
}

const interrupted = ({ spec, supervised }: Pool): OperationEnd => ({
  kind: 'failed',
  reason: 'POOL_UNREADY',
  message: `Pool ${spec.poolId} is ${supervised.state.kind}: the bench is incomplete.`,
})

const measureRound = async (
  pool: Pool,
  { promptTokens, concurrency, ms }: Round,
  { clock, ending }: { readonly clock: Clock; readonly ending: AbortController },
): Promise<Measurement> => {
  const releases = takeSlots(pool, concurrency, () => ending.abort())
  const { signal } = ending
  const samples: Sample[] = []
  let failed = 0
  const startedAt = clock.now()
  const { modelId = '' } = pool.spec.engine
  const run = { modelId, promptTokens, maxTokens: MAX_TOKENS, timeoutMs: RUN_TIMEOUT_MS }
  const work = async () => {
    // The first run of each counts as well: it is as long as the others.
    do {
      const { access } = pool.instance ?? {}
      const sample = access && (await measureRun(access, run, { clock, signal }))
      if (!sample) failed += 1
      else {
        samples.push(sample)
        pool.learnSpeed({ ...sample, occupancy: concurrency })
      }
    } while (!signal.aborted && failed < 3 && clock.now() - startedAt < ms)
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, work))
  } finally {
    for (const release of releases) release()
  }
  const tookS = Math.max(0.001, (clock.now() - startedAt) / 1_000)
  return create(MeasurementSchema, { concurrency, failed, ...figuresOf(samples, tookS) })
}

const takeSlots = (pool: Pool, count: number, abort: () => void): (() => void)[] => {
  const { modelId = '', engine } = pool.spec.engine
  const releases: (() => void)[] = []
  for (let n = 0; n < count; n += 1) {
    const release = pool.slots.take({ leaseId: `bench-${engine}-${n}`, modelId, abort })
    if (release) releases.push(release)
  }
  if (releases.length === count) return releases
  for (const release of releases) release()
  throw new BerthError(
    'POOL_UNREADY',
    `Pool ${pool.spec.poolId} has ${releases.length} free slots where the bench needs ${count}. ` +
      'Drain it first, or measure it when it is idle.',
  )
}

const figuresOf = (
  samples: readonly Sample[],
  tookS: number,
): MessageInitShape<typeof MeasurementSchema> => {
  const first = samples.map(({ firstTokenMs = 0 }) => firstTokenMs)
  const prompts = samples.map(({ promptTokens = 0 }) => promptTokens)
  const speeds = samples.map(({ tokensPerS = 0 }) => tokensPerS)
  return {
    promptTokens: Math.round(quantile(prompts, 0.5)),
    runs: samples.length,
    firstTokenP50Ms: quantile(first, 0.5),
    firstTokenP95Ms: quantile(first, 0.95),
    tokensPerS: quantile(speeds, 0.5),
    totalTokensPerS: (samples.length * MAX_TOKENS) / tookS,
  }
}

/** By nearest rank; 0 of nothing. */
const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0
}
