import { connect, headers } from '@nats-io/transport-node'
import { sleep } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger, systemClock } from '@berth/runtime'
import type { Bus } from '../bus.ts'
import { connectBus } from '../connect-bus.ts'
import { CONTENT_TYPE_HEADER } from '../wire.ts'
import { createMemoryBus, type MemoryBus } from './memory-bus.ts'
import { createMemoryServer } from './memory-server.ts'
import { startNatsServer } from './nats-server.ts'

/** One kind of bus under the contract: clients of one server, and power over the connection. */
export interface BusHarness extends AsyncDisposable {
  connect(): Promise<Bus>
  /** Takes the connection away from every client, and gives it back. */
  cut(): Promise<void>
  heal(): Promise<void>
  publishRaw(subject: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** Lets a little time pass. */
  tick(): Promise<void>
}

const log = createSilentLogger()

/** Clients of a real nats-server; cutting kills it, healing starts it on the same store. */
export const natsHarness = async (): Promise<BusHarness> => {
  const server = await startNatsServer({ jetstream: true })
  const clock = systemClock()
  const buses: Bus[] = []
  return {
    connect: async () => {
      const bus = await connectBus({ url: server.url, name: 'spec', log })
      buses.push(bus)
      return bus
    },
    cut: () => server.kill(),
    heal: () => server.restart(),
    publishRaw: async (subject, bytes, contentType) => {
      const nc = await connect({ servers: `127.0.0.1:${server.port}` })
      const all = headers()
      all.set(CONTENT_TYPE_HEADER, contentType)
      nc.publish(subject, bytes, { headers: all })
      await nc.drain()
    },
    tick: () => sleep(clock, 20),
    [Symbol.asyncDispose]: async () => {
      for (const bus of buses) await bus[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Clients of one memory server on a virtual clock. */
export const memoryHarness = async (): Promise<BusHarness> => {
  const clock = createSimClock()
  const server = createMemoryServer({ clock })
  const buses: MemoryBus[] = []
  return {
    connect: async () => {
      const bus = createMemoryBus({ clock, server })
      buses.push(bus)
      return bus
    },
    cut: async () => buses.forEach((bus) => bus.disconnect()),
    heal: async () => buses.forEach((bus) => bus.reconnect()),
    publishRaw: async (subject, bytes, contentType) =>
      server.publish(subject, { bytes, contentType }),
    tick: () => clock.advance(20),
    [Symbol.asyncDispose]: async () => {
      for (const bus of buses) await bus[Symbol.asyncDispose]()
    },
  }
}
