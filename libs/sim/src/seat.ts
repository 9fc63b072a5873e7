import type { SimNode, SimProcess } from './sim-process.ts'

/** One life of a service. */
export interface Service {
  readonly process: SimProcess
  kill(): void
  /** An orderly end: afterwards nothing of it is left. */
  stop(): Promise<void>
}

/** A place where a service runs, one life after the other, never two at once. */
export interface Seat<S extends Service> {
  readonly node: SimNode
  /** The life that runs, from its start until it is asked to stop. */
  readonly service: S | undefined
  readonly phase: 'down' | 'starting' | 'up' | 'stopping'
  /** Nothing unless it is down. */
  start(): Promise<void>
  /** Nothing unless something runs. */
  kill(): void
  stop(): Promise<void>
}

export interface SeatOptions<S extends Service> {
  readonly node: SimNode
  /** `life` counts from 1. */
  start(life: number): S | Promise<S>
  /** A service that stopped left this much behind. */
  onLeftBehind(what: string): void
}

/** A seat nobody has taken. */
export const createSeat = <S extends Service>(options: SeatOptions<S>): Seat<S> => {
  const { node } = options
  let phase: Seat<S>['phase'] = 'down'
  let current: S | undefined
  let lives = 0

  const stop = async () => {
    if (phase !== 'up' || !current) return
    const leaving = current
    const life = lives
    phase = 'stopping'
    await leaving.stop()
    if (lives !== life || current !== leaving) return
    const { pending } = leaving.process
    if (pending > 0) options.onLeftBehind(`${node.name} left ${pending} timers behind`)
    leaving.process.kill()
    current = undefined
    phase = 'down'
  }
  return {
    node,
    get service() {
      return phase === 'up' ? current : undefined
    },
    get phase() {
      return phase
    },
    start: async () => {
      if (phase !== 'down') return
      phase = 'starting'
      current = await options.start((lives += 1))
      phase = 'up'
    },
    kill: () => {
      if ((phase !== 'up' && phase !== 'stopping') || !current) return
      current.kill()
      current = undefined
      phase = 'down'
    },
    stop,
  }
}
