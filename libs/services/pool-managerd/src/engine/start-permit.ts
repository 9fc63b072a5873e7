import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { PreloadPlaces } from './preload-places.ts'
import type { StartTurn, StartTurns } from './start-turns.ts'

/** What one pool holds while an engine of it starts: its place and the turn on its devices. */
export interface StartPermit {
  /** Waits for a place among the pools that are brought up. Rejects when the signal aborts. */
  takePlace(places: PreloadPlaces, signal: AbortSignal): Promise<void>
  /** Waits for other starts on the GPUs of the pool. Rejects when the signal aborts. */
  takeTurn(spec: PoolSpec, signal: AbortSignal): Promise<void>
  /** An engine that runs already waits for nobody. */
  hold(spec: PoolSpec): void
  release(): void
}

interface StartPermitOptions {
  readonly turns: StartTurns | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Says what the start waits for. */
  onWait(step: string): void
}

export const createStartPermit = ({
  turns,
  clock,
  log,
  onWait,
}: StartPermitOptions): StartPermit => {
  let held: readonly StartTurn[] = []
  const keep = (taken: StartTurn, signal?: AbortSignal) => {
    if (signal?.aborted) taken.release()
    signal?.throwIfAborted()
    held = [...held, taken]
  }
  return {
    takePlace: async (places, signal) => {
      if (!places.isFree) onWait('waiting for other pools to load')
      keep(await places.take(signal), signal)
    },
    takeTurn: async (spec, signal) => {
      const gpus = gpusOf(spec)
      if (!turns || gpus.length === 0) return
      onWait(`waiting for its turn on ${gpus.join(', ')}`)
      const startedAt = clock.now()
      keep(await turns.take(gpus, signal), signal)
      const waitedMs = Math.round(clock.now() - startedAt)
      if (waitedMs > 0)
        log.info({ devices: gpus, waited_ms: waitedMs }, 'start waited for its turn')
    },
    hold: (spec) => {
      if (turns) keep(turns.hold(gpusOf(spec)))
    },
    release: () => {
      for (const one of held) one.release()
      held = []
    },
  }
}

/** RAM is not measured by who loads, so that starts on the CPU may go on side by side. */
const gpusOf = ({ devices }: PoolSpec): readonly string[] =>
  devices.filter((device) => device !== 'cpu')
