import { readVersion } from '@berth/drivers'
import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { AskProbe } from '../engine/ask-probe.ts'
import { measureRun, type MeasuringRun } from './performance-run.ts'
import type { Pool } from './pool.ts'

export interface AcquaintanceOptions {
  readonly askProbe: AskProbe
  readonly clock: Clock
  readonly log: Logger
  /** Length of the generation that measures a new engine; 0: none. */
  readonly warmUpTokens: number
}

const VERSION_TIMEOUT_MS = 2_000
const RUN_TIMEOUT_MS = 30_000
/** The first warms up, the others count. Long enough to tell reading from a step. */
const RUNS = 3
const PROMPT_TOKENS = 256

/**
 * What is learned of an engine once it serves: its version and, when nothing was measured of the
 * same version, model and devices before, its speed. Requests go first: the measurement gives way
 * to any, and is made up for by theirs. Engines that others run are not asked to work for us.
 */
export const getAcquainted = async (pool: Pool, options: AcquaintanceOptions): Promise<void> => {
  const { instance, spec } = pool
  if (!instance) return
  pool.identify(instance.instanceId, await versionOf(pool, options))
  const { modelId, mode } = spec.engine
  const isAsked = options.warmUpTokens > 0 && mode === 'managed' && modelId !== undefined
  // A daemon would load what it is asked for, before its turn.
  if (
    !isAsked ||
    pool.keeper?.refusalOf(modelId) ||
    pool.performance.current ||
    pool.instance !== instance
  )
    return
  const run: MeasuringRun = {
    ...{ modelId, promptTokens: PROMPT_TOKENS, maxTokens: options.warmUpTokens },
    timeoutMs: RUN_TIMEOUT_MS,
  }
  for (let n = 0; n < RUNS; n += 1) {
    const sample = await pool.whileIdle((signal) =>
      measureRun(instance.access, run, { clock: options.clock, signal }),
    )
    if (!sample || pool.instance !== instance) return
    if (n > 0) pool.learnSpeed({ ...sample, occupancy: 1 })
  }
  options.log.info(
    { model_id: modelId, engine_version: pool.engineVersion, ...figuresOf(pool) },
    'engine measured',
  )
}

const figuresOf = ({ performance: { current } }: Pool) => ({
  tokens_per_s: current?.tokensPerS,
  first_token_ms: current?.firstTokenMs,
})

const versionOf = async (
  { instance }: Pool,
  { askProbe }: AcquaintanceOptions,
): Promise<string> => {
  const { access } = instance ?? {}
  if (!access?.versionPath) return ''
  const probe = { path: access.versionPath, timeoutMs: VERSION_TIMEOUT_MS }
  const response = await askProbe(access, probe, new AbortController().signal)
  return response.kind === 'answer' ? readVersion(response.body) : ''
}
