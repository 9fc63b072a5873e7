import { jetstream } from '@nats-io/jetstream'
import { headers, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { BerthError, messageOf, sleep, type Clock } from '@berth/kernel'
import { systemClock } from '@berth/runtime'
import type { Bucket } from './bucket.ts'
import type { BusLog } from './bus-log.ts'
import type { Bus } from './bus.ts'
import { connectionOptions, type BusCredentials } from './connection-options.ts'
import { ensureStreams } from './ensure-streams.ts'
import { openLink, type Link } from './link.ts'
import { createNatsKv, ensureBucket } from './nats-kv.ts'
import { createOutbox } from './outbox.ts'
import { createReceiver } from './receiver.ts'
import { streamOf } from './streams.ts'
import { watchLatest } from './watch-latest.ts'
import { CONTENT_TYPE_HEADER, encodePayload, type Payload } from './wire.ts'

/** Where the bus is, and as whom to connect. */
export interface ConnectBusOptions {
  /** `nats://host:port`, several separated by commas; user and password may stand in it. */
  readonly url: string
  /** Who connects, for the server's own lists. */
  readonly name: string
  readonly log: BusLog
  readonly credentials?: BusCredentials
  /** How long to wait for the first connection before returning without. Default 2,000 ms. */
  readonly firstConnectMs?: number
  readonly clock?: Clock
}

const REQUEST_TIMEOUT_MS = 2000
/** Subjects of which it is remembered that a failure was told. */
const TOLD_MAX = 1024

/**
 * A bus over NATS with JetStream (2.9 or later). Resolves once connected, or without a connection
 * after `firstConnectMs`: a service starts, and says so in its readiness, while NATS is down. It
 * connects in the background for ever.
 */
export const connectBus = async (options: ConnectBusOptions): Promise<Bus> => {
  const { log, clock = systemClock() } = options
  const buckets = new Map<string, Bucket>()
  const outbox = createOutbox()
  let undecodable = 0
  const sender = createSender(log)

  const link = openLink({
    connection: connectionOptions(options) satisfies NodeConnectionOptions,
    clock,
    log,
    prepare: async (nc) => {
      await ensureStreams(nc, REQUEST_TIMEOUT_MS)
      for (const bucket of buckets.values()) await ensureBucket(nc, bucket)
    },
  })
  link.onReady((nc) => {
    for (const [subject, payload] of outbox.takeAll()) sender.send(nc, subject, payload)
  })
  const received = { log, onUndecodable: () => (undecodable += 1) }
  const watch = (pattern: string, stream: ReturnType<typeof streamOf>) => ({
    pattern,
    stream,
    clock,
    log,
  })

  await firstReady(link, clock, options.firstConnectMs ?? 2000)
  return {
    get isConnected() {
      return link.ready !== undefined
    },
    get counts() {
      return { undecodable, dropped: outbox.dropped + sender.refused }
    },
    onStatus: link.onStatus,
    publish: (subject, message) => {
      const payload = encodePayload(subject.schema, message)
      if (link.ready) sender.send(link.ready, subject.name, payload)
      else outbox.put(subject.name, payload)
    },
    publishDurable: async (subject, message, { messageId } = {}) => {
      const payload = encodePayload(subject.schema, message)
      await store(link.ready, subject.name, payload, messageId)
    },
    subscribe: (pattern, on) => {
      const receive = createReceiver(pattern, on, received)
      return watchLatest(link, { ...watch(pattern.name, undefined), receive })
    },
    watchLatest: (pattern, on) => {
      const receive = createReceiver(pattern, on, received)
      return watchLatest(link, { ...watch(pattern.name, streamOf(pattern.name)), receive })
    },
    openKv: async (bucket) => {
      buckets.set(bucket.name, bucket)
      if (link.ready) await ensureBucket(link.ready, bucket).catch(rethrowUnavailable)
      return createNatsKv(link, bucket)
    },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

const firstReady = async (link: Link, clock: Clock, ms: number): Promise<void> => {
  const done = new AbortController()
  const cancel = link.onReady(() => done.abort())
  // Rejects when ready: either way the wait is over.
  if (!link.ready) await sleep(clock, ms, done.signal).catch(() => undefined)
  cancel()
}

const headersOf = (payload: Payload) => {
  const all = headers()
  all.set(CONTENT_TYPE_HEADER, payload.contentType)
  return all
}

/** Sends without waiting: what the server would not take, as one too large, ends no service. */
const createSender = (log: BusLog) => {
  /** Told once, not with every snapshot for as long as it lasts. */
  const told = new Set<string>()
  let refused = 0
  return {
    get refused() {
      return refused
    },
    send: (nc: NatsConnection, subject: string, payload: Payload) => {
      try {
        nc.publish(subject, payload.bytes, { headers: headersOf(payload) })
        told.delete(subject)
      } catch (error) {
        refused += 1
        if (told.has(subject) || told.size >= TOLD_MAX) return
        told.add(subject)
        const facts = { subject, bytes: payload.bytes.length, error: messageOf(error) }
        log.error(facts, 'message was not sent')
      }
    },
  }
}

const store = async (
  nc: NatsConnection | undefined,
  subject: string,
  payload: Payload,
  messageId: string | undefined,
): Promise<void> => {
  if (!nc) throw unavailable('not connected')
  const id = messageId === undefined ? {} : { msgID: messageId }
  await jetstream(nc, { timeout: REQUEST_TIMEOUT_MS })
    .publish(subject, payload.bytes, { headers: headersOf(payload), ...id })
    .catch(rethrowUnavailable)
}

const rethrowUnavailable = (error: unknown): never => {
  throw unavailable(messageOf(error), error)
}

const unavailable = (problem: string, cause?: unknown) =>
  new BerthError('BUS_UNAVAILABLE', `NATS did not confirm: ${problem}. Is it up, with JetStream?`, {
    retryAfterMs: 1000,
    cause,
  })
