import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { messageOf, sleep, type Cancel, type Clock } from '@berth/kernel'
import type { BusLog } from './bus-log.ts'
import { createReadiness, type ReadinessOptions, type Readiness } from './readiness.ts'
import { retryDelayMs } from './retry-delay.ts'

/** A connection that is always wanted: made, kept, and made again. */
export interface Link extends AsyncDisposable {
  /** The connection while it is up and prepared. */
  readonly ready: NatsConnection | undefined
  /** Calls `fn` with every connection as soon as there is one; subscriptions live on it. */
  readonly attach: (fn: (connection: NatsConnection) => Cancel) => Cancel
  readonly onReady: Readiness['onReady']
  readonly onStatus: Readiness['onStatus']
}

export interface LinkOptions extends ReadinessOptions {
  readonly connection: NodeConnectionOptions
}

/** Starts to connect at once and goes on for ever, until disposed. */
export const openLink = (options: LinkOptions): Link => {
  const closing = new AbortController()
  const readiness = createReadiness(options)
  const holder = createHolder()
  const ended = connectForEver(options, closing.signal, async (connection) => {
    holder.hold(connection)
    await follow(connection, readiness, options.log)
    holder.hold(undefined)
    readiness.goDown()
  })
  return {
    get ready() {
      return readiness.current
    },
    attach: holder.attach,
    onReady: readiness.onReady,
    onStatus: readiness.onStatus,
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error('the bus was closed'))
      if (readiness.current) await flushWithin(options.clock, 2000, readiness.current)
      readiness.goDown()
      await holder.held()?.close()
      await ended
    },
  }
}

/** The connection there is, up or reconnecting, and what lives on it. */
const createHolder = () => {
  const attachments = new Set<{ fn: (connection: NatsConnection) => Cancel; detach?: Cancel }>()
  let held: NatsConnection | undefined
  return {
    held: () => held,
    hold: (connection: NatsConnection | undefined) => {
      held = connection
      for (const attachment of attachments) {
        if (connection) attachment.detach = attachment.fn(connection)
      }
    },
    attach: (fn: (connection: NatsConnection) => Cancel): Cancel => {
      const attachment = held ? { fn, detach: fn(held) } : { fn }
      attachments.add(attachment)
      return () => {
        attachments.delete(attachment)
        attachment.detach?.()
      }
    },
  }
}

/** A connection reconnects by itself; the loop is for the first one, and for one that gave up. */
const connectForEver = async (
  { connection: wanted, clock, log }: LinkOptions,
  closing: AbortSignal,
  live: (connection: NatsConnection) => Promise<void>,
) => {
  const isClosing = () => closing.aborted
  for (let attempt = 0; !isClosing(); attempt++) {
    try {
      const connection = await connect(wanted)
      attempt = 0
      // Closing may have begun while it connected.
      if (isClosing()) await connection.close()
      else await live(connection)
    } catch (error) {
      log.warn({ problem: messageOf(error), attempt }, 'bus connect failed')
    }
    // Rejects when closing, which the condition of the loop finds.
    await sleep(clock, retryDelayMs(attempt), closing).catch(() => undefined)
  }
}

/** Keeps the readiness in step with the connection until that is closed for good. */
const follow = async (connection: NatsConnection, readiness: Readiness, log: BusLog) => {
  const goUp = () => {
    readiness.goUp(connection).catch((error: unknown) => {
      log.error({ err: error }, 'bus listener failed')
    })
  }
  log.info({ server: connection.getServer() }, 'bus connected')
  goUp()
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') {
      log.warn({ server: status.server }, 'bus disconnected')
      readiness.goDown()
    } else if (status.type === 'reconnect') {
      log.info({ server: status.server }, 'bus reconnected')
      goUp()
    } else if (status.type === 'error') {
      log.warn({ problem: messageOf(status.error) }, 'bus error')
    }
  }
}

/** Gives what was published the time to leave, within a bound. */
const flushWithin = async (clock: Clock, ms: number, connection: NatsConnection) => {
  const enough = new AbortController()
  const flushed = connection.flush().catch(() => undefined)
  await Promise.race([flushed, sleep(clock, ms, enough.signal).catch(() => undefined)])
  enough.abort()
}
