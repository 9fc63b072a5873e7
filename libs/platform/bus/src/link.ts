import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { messageOf, sleep, type Cancel, type Clock } from '@berth/kernel'
import type { BusLog } from './bus-log.ts'

/** A connection that is always wanted: made, kept, and made again. */
export interface Link extends AsyncDisposable {
  /** The connection while it is up and prepared. */
  readonly ready: NatsConnection | undefined
  /** Calls `fn` with every connection as soon as there is one; subscriptions live on it. */
  attach(fn: (connection: NatsConnection) => Cancel): Cancel
  /** Calls `fn` each time the link gets ready, and now when it is. */
  onReady(fn: (connection: NatsConnection) => void): Cancel
  onStatus(fn: (isReady: boolean) => void): Cancel
}

export interface LinkOptions {
  readonly connection: NodeConnectionOptions
  readonly clock: Clock
  readonly log: BusLog
  /** Makes what the server may lack, after each connect. Tried again until it succeeds. */
  prepare(connection: NatsConnection): Promise<void>
}

/** Waits between attempts: quick at first, then every 5 s. */
const RETRY_MS = [100, 250, 500, 1000, 2000, 5000]
const retryMs = (attempt: number) => RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number

/** Starts to connect at once and goes on for ever, until disposed. */
export const openLink = (options: LinkOptions): Link => {
  const { clock, log } = options
  const closing = new AbortController()
  const attachments = new Map<object, { fn: (nc: NatsConnection) => Cancel; detach?: Cancel }>()
  const readyListeners = new Set<(nc: NatsConnection) => void>()
  const statusListeners = new Set<(isReady: boolean) => void>()
  let connection: NatsConnection | undefined
  let ready: NatsConnection | undefined
  // Counts the ups and downs, so that work begun in an earlier one ends.
  let era = 0

  const setReady = (nc: NatsConnection | undefined) => {
    if (ready === nc) return
    ready = nc
    if (nc) for (const fn of [...readyListeners]) fn(nc)
    for (const fn of [...statusListeners]) fn(nc !== undefined)
  }

  const goDown = () => {
    era += 1
    setReady(undefined)
  }

  const goUp = async (nc: NatsConnection) => {
    const mine = ++era
    for (let attempt = 0; mine === era; attempt++) {
      const error = await options.prepare(nc).then(
        () => undefined,
        (thrown: unknown) => thrown ?? new Error('unknown'),
      )
      if (mine !== era) return
      // What needs no stream works all the same.
      setReady(nc)
      if (error === undefined) return
      log.warn({ problem: messageOf(error), attempt }, 'bus is not prepared')
      await sleep(clock, retryMs(attempt), closing.signal).catch(() => undefined)
    }
  }

  const follow = async (nc: NatsConnection) => {
    connection = nc
    for (const attachment of attachments.values()) attachment.detach = attachment.fn(nc)
    const up = (event: string) => {
      log.info({ server: nc.getServer() }, event)
      goUp(nc).catch((error: unknown) => log.error({ err: error }, 'bus listener failed'))
    }
    up('bus connected')
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') {
        log.warn({ server: status.server }, 'bus disconnected')
        goDown()
      } else if (status.type === 'reconnect') up('bus reconnected')
      else if (status.type === 'error') log.warn({ problem: messageOf(status.error) }, 'bus error')
    }
    connection = undefined
    goDown()
  }

  const connectForEver = async () => {
    for (let attempt = 0; !closing.signal.aborted; attempt++) {
      try {
        const nc = await connect(options.connection)
        attempt = 0
        if (closing.signal.aborted) await nc.close()
        else await follow(nc)
      } catch (error) {
        log.warn({ problem: messageOf(error), attempt }, 'bus connect failed')
      }
      // Rejects when closing: then the loop ends by its condition.
      await sleep(clock, retryMs(attempt), closing.signal).catch(() => undefined)
    }
  }
  const ended = connectForEver()

  return {
    get ready() {
      return ready
    },
    attach: (fn) => {
      const id = {}
      attachments.set(id, connection ? { fn, detach: fn(connection) } : { fn })
      return () => {
        attachments.get(id)?.detach?.()
        attachments.delete(id)
      }
    },
    onReady: (fn) => {
      readyListeners.add(fn)
      if (ready) fn(ready)
      return () => readyListeners.delete(fn)
    },
    onStatus: (fn) => {
      statusListeners.add(fn)
      return () => statusListeners.delete(fn)
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error('bus closed'))
      const open = connection
      if (open) await closeWithin(clock, 2000, open, ready !== undefined)
      goDown()
      await ended
    },
  }
}

/** Flushes what was published, for as long as that may take, then closes. */
const closeWithin = async (clock: Clock, ms: number, nc: NatsConnection, isUp: boolean) => {
  const giveUp = new AbortController()
  const flushed = isUp ? nc.flush().catch(() => undefined) : Promise.resolve()
  await Promise.race([flushed, sleep(clock, ms, giveUp.signal).catch(() => undefined)])
  giveUp.abort()
  await nc.close()
}
