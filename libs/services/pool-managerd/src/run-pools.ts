import type { Cancel } from '@berth/kernel'
import type { Logger, Metrics, Scope } from '@berth/runtime'
import type { Devices } from './device/devices.ts'
import type { LaunchEnv } from './engine/launch-instance.ts'
import { createPreloadPlaces } from './engine/preload-places.ts'
import type { Host } from './host.ts'
import { createPoolsChanger } from './pool/apply-pools.ts'
import { startPools } from './pool/start-pools.ts'
import { followPoolsFile } from './pools-file/follow-pools-file.ts'
import type { PoolsFileSource } from './pools-file/open-pools-file.ts'
import type { Settings } from './settings.ts'
import type { AdoptableEntry } from './state/adoptable.ts'
import type { PoolIntents } from './state/pool-intents.ts'
import type { PoolModels } from './state/pool-models.ts'

interface RunPoolsOptions {
  readonly settings: Settings
  readonly source: PoolsFileSource
  readonly host: Host
  readonly env: LaunchEnv & {
    readonly devices: Devices
    readonly intents: PoolIntents
    readonly models: PoolModels
  }
  readonly adoptable: ReadonlyMap<string, AdoptableEntry>
  readonly series: Metrics
  readonly scope: Scope
  readonly log: Logger
  readonly onHangup: ((fn: () => void) => Cancel) | undefined
}

/** Brings the pools of a host up, and keeps them what the pools file says until the scope ends. */
export const runPools = async (options: RunPoolsOptions): Promise<void> => {
  const { settings, source, host, env, adoptable, series, scope, log, onHangup } = options
  const { clock, devices, intents, models, wantedModels } = env
  const start = { places: createPreloadPlaces(settings.preloadConcurrency), stage: env, log }
  const changer = scope.use(
    createPoolsChanger({
      ...{ ...start, host, intents, models, wantedModels },
      drainMs: settings.changeDrainTimeoutMs,
      faultOf: (mask) => devices.faultOf(mask),
    }),
  )
  const reads = series.counter('berth_pools_file_reads_total')
  let isRefused = false
  series.read('berth_pools_file_refused', (show) => show({}, isRefused ? 1 : 0))
  await startPools([...host.pools.values()], adoptable, start)
  const follower = scope.use(
    followPoolsFile({
      ...{ ...source, clock, log },
      apply: ({ pools }) => changer.apply(pools),
      onOutcome: (outcome, problems) => {
        isRefused = outcome === 'refused'
        host.tellPoolsFile(problems)
        reads.inc({ outcome })
      },
    }),
  )
  if (onHangup) scope.defer(onHangup(() => follower.readNow()))
}
