import { BerthError, every } from '@berth/kernel'
import type { Bucket, Bus, BusLog, Kv } from '@berth/bus'
import { createMemoryBus, type MemoryServer } from '@berth/bus/testing'
import type { SimNetwork } from './sim-network.ts'
import type { SimProcess } from './sim-process.ts'

/** Where the bus is on the network. */
export const BUS_NODE = 'nats'

/** How long a cut from the bus stays unnoticed. */
const PING_MS = 1_000
const KV_TIMEOUT_MS = 2_000

export interface SimBusOptions {
  readonly process: SimProcess
  readonly network: SimNetwork
  readonly server: MemoryServer
  readonly log: BusLog
  /** Messages of such a subject never arrive. */
  loses(subject: string): boolean
}

/**
 * A client of the memory bus behind the simulated network: messages are late, lost, repeated and
 * overtaken, answers to requests may be lost after the request took effect, and a partition is
 * noticed by ping.
 */
export const connectSimBus = (options: SimBusOptions): Bus => {
  const { process, network, server, log } = options
  const { clock } = process
  const node = process.node.name
  const line = createMemoryBus({ clock, server, log })
  // What is on its way arrives also when the line is cut behind it.
  const courier = createMemoryBus({ clock, server, log })

  const ping = () => {
    if (network.isCut(node, BUS_NODE)) line.disconnect()
    else line.reconnect()
  }
  const stopPing = every(clock, PING_MS, ping)
  ping()
  process.onKill(() => void line[Symbol.asyncDispose]())
  const toNode = (deliver: () => void) =>
    network.datagram(BUS_NODE, node, () => {
      if (process.isAlive) deliver()
    })

  const ask = <T>(run: () => Promise<T>, timeoutMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!line.isConnected) return reject(unavailable('The bus is not connected.'))
      const stop = clock.after(timeoutMs, () => reject(unavailable('The bus did not answer.')))
      const answer = (settle: () => void) =>
        toNode(() => {
          stop()
          settle()
        })
      let hasRun = false
      network.datagram(node, BUS_NODE, () => {
        // A request crosses a connection: it may be lost with it, it is never repeated.
        if (hasRun) return
        hasRun = true
        run().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(BerthError.from(error))),
        )
      })
    })

  return {
    get isConnected() {
      return line.isConnected
    },
    get counts() {
      return line.counts
    },
    onStatus: (fn) => line.onStatus((isUp) => process.isAlive && fn(isUp)),
    publish: (subject, message) => {
      if (options.loses(subject.name)) return
      if (!line.isConnected) return line.publish(subject, message)
      network.datagram(node, BUS_NODE, () => courier.publish(subject, message))
    },
    publishDurable: (subject, message, extra) =>
      ask(() => courier.publishDurable(subject, message, extra), KV_TIMEOUT_MS),
    subscribe: (pattern, on) => line.subscribe(pattern, (...told) => toNode(() => on(...told))),
    watchLatest: (pattern, on) => line.watchLatest(pattern, (...told) => toNode(() => on(...told))),
    openKv: async (bucket) => remoteKv(await courier.openKv(bucket), bucket, ask),
    [Symbol.asyncDispose]: async () => {
      stopPing()
      await line[Symbol.asyncDispose]()
      await courier[Symbol.asyncDispose]()
    },
  }
}

type Ask = <T>(run: () => Promise<T>, timeoutMs: number) => Promise<T>

const remoteKv = (kv: Kv, { timeoutMs = KV_TIMEOUT_MS }: Bucket, ask: Ask): Kv => ({
  get: (key) => ask(() => kv.get(key), timeoutMs),
  create: (key, value) => ask(() => kv.create(key, value), timeoutMs),
  update: (key, value, revision) => ask(() => kv.update(key, value, revision), timeoutMs),
  delete: (key, revision) => ask(() => kv.delete(key, revision), timeoutMs),
  list: (prefix) => ask(() => kv.list(prefix), timeoutMs),
})

const unavailable = (message: string) =>
  new BerthError('BUS_UNAVAILABLE', message, { retryAfterMs: 1_000 })
