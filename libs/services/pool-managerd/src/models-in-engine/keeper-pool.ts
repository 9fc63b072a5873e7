import type { Cancel, Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { CrashReport, LoadProgress, ModelCalls, Supervised } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Instance } from '../engine/instance.ts'
import type { LogRing } from '../engine/log-ring.ts'
import type { Slots } from '../pool/slots.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Urgency } from '../publish/publisher.ts'
import type { LoadTimes } from '../state/load-times.ts'
import type { WantedModels } from '../state/wanted-models.ts'
import type { DeviceMemory } from './device-memory.ts'

/** What the keeper sees of its pool. */
export interface KeeperPool {
  readonly spec: PoolSpec
  readonly supervised: Supervised
  readonly instance: Instance | undefined
  readonly slots: Pick<Slots, 'leases'>
  readonly ring: LogRing
  onChange(fn: () => void): Cancel
}

export interface KeeperOptions {
  readonly pool: KeeperPool
  readonly calls: ModelCalls
  /** The pool's own model comes and goes as the others do. False: it is there with the engine. */
  readonly ownsModel: boolean
  readonly clock: Clock
  readonly log: Logger
  readonly askProbe: AskProbe
  /** Absent: what was commanded ends with the agent. */
  readonly store?: WantedModels | undefined
  readonly memory?: DeviceMemory | undefined
  /** Absent: nobody knows how long loads take. */
  readonly times?: LoadTimes | undefined
  /** Why a model may not be downloaded; absent where all may. */
  readonly pullRefusal?: ((asked: PullQuestion) => CrashReport | undefined) | undefined
  readonly onChange: (urgency: Urgency) => void
  readonly onLoaded: (modelId: string, seconds: number) => void
  /** At most twice a second. */
  readonly onProgress: (progress: LoadProgress) => void
}

/** A model that would have to be downloaded. */
export interface PullQuestion {
  readonly modelId: string
  /** Somebody asks for it now; false: it is brought because it is wanted. */
  readonly isCommanded: boolean
}

/** Lines about requests: an engine that is asked for its lists writes them, whatever it does. */
const ABOUT_REQUESTS = /\b(?:GET|POST|HEAD|DELETE)\s+"?\//

/** Whether an engine prints what it does. */
export const followProgress = (
  ring: LogRing,
  clock: Clock,
): {
  printedAt(): number | undefined
  lastLine(): string | undefined
  readonly stop: Cancel
} => {
  let printedAt: number | undefined
  let lastLine: string | undefined
  const stop = ring.follow((lines) => {
    const told = lines.findLast((line) => line.trim() !== '' && !ABOUT_REQUESTS.test(line))
    if (told === undefined) return
    printedAt = clock.now()
    lastLine = told
  })
  return { printedAt: () => printedAt, lastLine: () => lastLine, stop }
}
