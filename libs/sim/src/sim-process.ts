import type { Cancel, Clock } from '@berth/kernel'

/** The machine of a process: its name on the network and how wrong its wall clock is. */
export interface SimNode {
  readonly name: string
  wallOffsetMs: number
}

/** One life of a service. Killed, it does nothing more: no timer fires, no message arrives. */
export interface SimProcess {
  readonly node: SimNode
  readonly clock: Clock
  readonly isAlive: boolean
  /** Timers armed by this process. */
  readonly pending: number
  /** As kill -9 does. Nothing of it is told to the code inside. */
  kill(): void
  /** For what the operating system does at the end of a process, such as closing its sockets. */
  onKill(fn: () => void): Cancel
}

/** A process on a node, running on the fleet's clock. */
export const createSimProcess = (clock: Clock, node: SimNode): SimProcess => {
  const timers = new Set<Cancel>()
  const ends = new Set<() => void>()
  let isAlive = true

  const after = (ms: number, fn: () => void): Cancel => {
    if (!isAlive) return () => undefined
    const cancel = () => {
      stop()
      timers.delete(cancel)
    }
    const stop = clock.after(ms, () => {
      timers.delete(cancel)
      fn()
    })
    timers.add(cancel)
    return cancel
  }
  return {
    node,
    clock: {
      now: () => clock.now(),
      wall: () => Math.trunc(clock.wall() + node.wallOffsetMs),
      after,
    },
    get isAlive() {
      return isAlive
    },
    get pending() {
      return timers.size
    },
    kill: () => {
      if (!isAlive) return
      isAlive = false
      for (const cancel of [...timers]) cancel()
      for (const end of [...ends]) end()
      ends.clear()
    },
    onKill: (fn) => {
      ends.add(fn)
      return () => ends.delete(fn)
    },
  }
}
