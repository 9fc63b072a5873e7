import type { NatsConnection } from '@nats-io/transport-node'
import { messageOf, sleep, type Cancel, type Clock } from '@berth/kernel'
import type { BusLog } from './bus-log.ts'
import { createListenerSet } from './listener-set.ts'
import { retryDelayMs } from './retry-delay.ts'

/** Whether a connection is up and has been prepared, and who wants to know. */
export interface Readiness {
  readonly current: NatsConnection | undefined
  /** Calls `fn` each time a connection gets ready, and now when one is. */
  readonly onReady: (fn: (connection: NatsConnection) => void) => Cancel
  readonly onStatus: (fn: (isReady: boolean) => void) => Cancel
  /** The connection is up: prepares it, then it is ready. Preparing is tried until it succeeds. */
  goUp(connection: NatsConnection): Promise<void>
  goDown(): void
}

export interface ReadinessOptions {
  readonly clock: Clock
  readonly log: BusLog
  /** Makes what the server may lack. */
  readonly prepare: (connection: NatsConnection) => Promise<void>
}

/** Attempts to prepare a connection before it counts as ready without. */
const PATIENCE = 3

export const createReadiness = (options: ReadinessOptions): Readiness => {
  const ready = createListenerSet<NatsConnection>()
  const status = createListenerSet<boolean>()
  let current: NatsConnection | undefined
  // Ends the preparing that an earlier connect began.
  let era = new AbortController()

  const set = (connection: NatsConnection | undefined) => {
    if (current === connection) return
    current = connection
    if (connection) ready.call(connection)
    status.call(connection !== undefined)
  }
  const nextEra = () => {
    era.abort(new Error('the connection changed'))
    era = new AbortController()
    const { signal } = era
    return { signal, isOver: () => signal.aborted }
  }

  const goUp = async (connection: NatsConnection) => {
    const mine = nextEra()
    for (let attempt = 0; ; attempt++) {
      const problem = await options.prepare(connection).then(() => undefined, messageOf)
      if (mine.isOver()) return
      // What is published before its stream is there is not stored, so a slow server gets some
      // time; one that cannot have streams still serves what needs none.
      if (problem === undefined || attempt + 1 >= PATIENCE) set(connection)
      if (problem === undefined) return
      options.log.warn({ problem, attempt }, 'bus is not prepared')
      // Rejects when the era ends, which the next look finds.
      await sleep(options.clock, retryDelayMs(attempt), mine.signal).catch(() => undefined)
      if (mine.isOver()) return
    }
  }

  return {
    get current() {
      return current
    },
    onReady: (fn) => {
      const cancel = ready.add(fn)
      if (current) fn(current)
      return cancel
    },
    onStatus: status.add,
    goUp,
    goDown: () => {
      nextEra()
      set(undefined)
    },
  }
}
