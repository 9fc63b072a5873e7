import { BerthError, type Cancel, type Clock } from '@berth/kernel'
import { createSilentLogger } from '@berth/runtime'
import type { Bus, Kv } from '../bus.ts'
import type { BusLog } from '../bus-log.ts'
import { createListenerSet } from '../listener-set.ts'
import { createOutbox } from '../outbox.ts'
import { createReceiver, type Receive } from '../receiver.ts'
import { streamOf } from '../streams.ts'
import { encodePayload } from '../wire.ts'
import { createMemoryServer, type MemoryBucket, type MemoryServer } from './memory-server.ts'

/** A bus without a network. What is sent is encoded and decoded all the same. */
export interface MemoryBus extends Bus {
  readonly server: MemoryServer
  /** Cuts this client off, until `reconnect`. */
  disconnect(): void
  reconnect(): void
}

/** One client, of a server of its own unless `server` is given. Starts connected. */
export const createMemoryBus = (options: {
  readonly clock: Clock
  readonly server?: MemoryServer
  readonly log?: BusLog
}): MemoryBus => {
  const { server = createMemoryServer(options), log = createSilentLogger() } = options
  const outbox = createOutbox()
  const line = createLine()
  line.onStatus((isUp) => {
    if (!isUp) return
    for (const [subject, payload] of outbox.takeAll()) server.publish(subject, payload)
  })
  let undecodable = 0
  const received = { log, onUndecodable: () => (undecodable += 1) }
  const watch = (pattern: string, receive: Receive, withLatest: boolean) =>
    line.follow(watchMemory(server, pattern, receive, withLatest))

  return {
    server,
    disconnect: () => line.set(false),
    reconnect: () => line.set(true),
    get isConnected() {
      return line.isUp()
    },
    get counts() {
      return { undecodable, dropped: outbox.dropped }
    },
    onStatus: line.onStatus,
    publish: (subject, message) => {
      const payload = encodePayload(subject.schema, message)
      if (line.isUp()) server.publish(subject.name, payload)
      else outbox.put(subject.name, payload)
    },
    publishDurable: async (subject, message, { messageId } = {}) => {
      line.require()
      if (!streamOf(subject.name))
        throw new BerthError('BUS_UNAVAILABLE', `No stream stores ${subject.name}.`)
      server.publish(subject.name, encodePayload(subject.schema, message), messageId)
    },
    subscribe: (pattern, on) => watch(pattern.name, createReceiver(pattern, on, received), false),
    watchLatest: (pattern, on) => watch(pattern.name, createReceiver(pattern, on, received), true),
    openKv: async (bucket) => createMemoryKv(server.bucket(bucket), line.require),
    [Symbol.asyncDispose]: async () => line.close(),
  }
}

interface Watch {
  start(): void
  stop(): void
}

/** The connection of one client, which follows nothing but what it is told. */
const createLine = () => {
  const status = createListenerSet<boolean>()
  const watches = new Set<Watch>()
  let isUp = true
  let isClosed = false
  const set = (now: boolean) => {
    if (isUp === now || isClosed) return
    isUp = now
    for (const watch of watches) {
      if (now) watch.start()
      else watch.stop()
    }
    status.call(now)
  }
  return {
    isUp: () => isUp,
    set,
    onStatus: status.add,
    follow: (watch: Watch): Cancel => {
      watches.add(watch)
      if (isUp) watch.start()
      return () => {
        watches.delete(watch)
        watch.stop()
      }
    },
    require: () => {
      if (!isUp)
        throw new BerthError('BUS_UNAVAILABLE', 'The bus is not connected.', { retryAfterMs: 1000 })
    },
    close: () => {
      set(false)
      isClosed = true
      watches.clear()
    },
  }
}

const watchMemory = (
  server: MemoryServer,
  pattern: string,
  receive: Receive,
  withLatest: boolean,
): Watch => {
  let unsubscribe: Cancel | undefined
  return {
    start: () => {
      const mine = server.subscribe(pattern, receive)
      unsubscribe = mine
      if (!withLatest) return
      for (const [subject, payload] of server.latest(pattern))
        queueMicrotask(() => {
          if (unsubscribe === mine) receive(subject, payload, 'stored')
        })
    },
    stop: () => {
      unsubscribe?.()
      unsubscribe = undefined
    },
  }
}

const createMemoryKv = (bucket: MemoryBucket, requireConnection: () => void): Kv => {
  const find = (key: string) => bucket.entries().find((entry) => entry.key === key)
  return {
    get: async (key) => {
      requireConnection()
      const entry = find(key)
      return entry && { value: entry.value, revision: entry.revision }
    },
    create: async (key, value) => {
      requireConnection()
      return bucket.change(key, value, 0)
    },
    update: async (key, value, revision) => {
      requireConnection()
      return bucket.change(key, value, revision)
    },
    delete: async (key, revision) => {
      requireConnection()
      bucket.change(key, undefined, revision)
    },
    list: async (prefix = '') => {
      requireConnection()
      return bucket.entries().filter(({ key }) => key.startsWith(prefix))
    },
  }
}
