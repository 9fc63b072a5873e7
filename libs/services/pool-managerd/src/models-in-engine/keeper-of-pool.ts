import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { CrashReport, LoadProgress } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import type { Pool } from '../pool/pool.ts'
import type { Urgency } from '../publish/publisher.ts'
import { deviceMemoryOf } from './device-memory.ts'
import type { PullQuestion } from './keeper-pool.ts'
import { ModelKeeper } from './model-keeper.ts'

export interface KeeperSurroundings {
  readonly env: LaunchEnv
  readonly clock: Clock
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly onChange: (urgency: Urgency) => void
  readonly onLoaded: (pool: Pool, modelId: string, seconds: number) => void
  readonly onProgress: (progress: LoadProgress) => void
}

/** The keeper of a pool whose engine takes models while it runs; `undefined` for the others. */
export const keeperOf = (pool: Pool, on: KeeperSurroundings): ModelKeeper | undefined => {
  const { driver, spec } = pool
  const calls = driver.modelCalls?.(spec.engine)
  if (!calls) return undefined
  const { env } = on
  return new ModelKeeper({
    ...{ ...on, pool, calls },
    ownsModel: driver.abilities.isMultiModel === true,
    store: env.wantedModels,
    times: env.loadTimes,
    memory: deviceMemoryOf(spec.devices, env.devices),
    pullRefusal: (asked) => pullRefusal(pool, asked, env),
    onLoaded: (modelId, seconds) => on.onLoaded(pool, modelId, seconds),
  })
}

/** What is not in the engine's store, and may not be brought there. */
const pullRefusal = (
  { spec, driver }: Pool,
  { modelId, isCommanded }: PullQuestion,
  { isOffline }: Pick<LaunchEnv, 'isOffline'>,
): CrashReport | undefined => {
  const refused = (why: string): CrashReport => ({
    kind: 'model_not_found',
    message: `Model ${modelId} is not in the store of ${driver.engine} on this host, and ${why}`,
    isRetriable: false,
  })
  const { mode } = spec.engine
  if (isOffline === true) return refused('this host fetches nothing. Bring it there by hand.')
  return mode === 'managed' || isCommanded
    ? undefined
    : refused(`a ${mode} engine is brought models by command only: berth models load ${modelId}.`)
}
