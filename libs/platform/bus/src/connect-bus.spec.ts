import { create } from '@bufbuild/protobuf'
import { HostSnapshotSchema } from '@berth/contract'
import { sleep } from '@berth/kernel'
import { createSilentLogger, systemClock } from '@berth/runtime'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { Bus } from './bus.ts'
import { connectBus } from './connect-bus.ts'
import { subjects } from './subjects.ts'
import { startNatsServer, type NatsServer } from './testing/nats-server.ts'

let server: NatsServer
const open: Bus[] = []
const clock = systemClock()

beforeEach(async () => {
  server = await startNatsServer({ jetstream: true })
}, 20_000)
afterEach(async () => {
  for (const bus of open.splice(0)) await bus[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
}, 20_000)

const connectTo = async (url: string, firstConnectMs = 2000) => {
  const bus = await connectBus({ url, name: 'spec', log: createSilentLogger(), firstConnectMs })
  open.push(bus)
  return bus
}
const until = async (holds: () => boolean) => {
  for (const end = clock.now() + 15_000; !holds(); await sleep(clock, 20))
    if (clock.now() > end) throw new Error(`not within 15 s: ${holds.toString()}`)
}
const watch = (bus: Bus) => {
  const seen: string[] = []
  bus.watchLatest(subjects.allHostSnapshots, (m) => seen.push(`${m.hostId}:${m.revision}`))
  return seen
}
const publish = (bus: Bus, hostId: string, revision: bigint) =>
  bus.publish(subjects.hostSnapshot(hostId), create(HostSnapshotSchema, { hostId, revision }))

it('starts without a server and works once there is one', async () => {
  await server.stop()
  const bus = await connectTo(server.url, 50)
  expect(bus.isConnected).toBe(false)
  const seen = watch(bus)
  publish(bus, 'a', 1n)
  const kv = await bus.openKv({ name: 'spec_late' })
  await server.restart()
  await until(() => seen.includes('a:1'))
  expect(await kv.create('k', new Uint8Array([1]))).toBe(1)
}, 30_000)

it('makes streams and buckets again when the server lost its store', async () => {
  const bus = await connectTo(server.url)
  const kv = await bus.openKv({ name: 'spec_lost' })
  await kv.create('k', new Uint8Array([1]))
  const seen = watch(bus)
  await server.kill()
  await server.loseState()
  await until(() => !bus.isConnected)
  await server.restart()
  await until(() => bus.isConnected)
  publish(bus, 'a', 7n)
  await until(() => seen.includes('a:7'))
  expect(await kv.get('k')).toBeUndefined()
  await kv.create('k', new Uint8Array([2]))

  const late = watch(await connectTo(server.url))
  await until(() => late.includes('a:7'))
}, 30_000)

it('drops a message that the server would not take, and goes on', async () => {
  const bus = await connectTo(server.url)
  const seen = watch(bus)
  const huge = create(HostSnapshotSchema, { hostId: 'a', agentVersion: 'x'.repeat(1_100_000) })
  bus.publish(subjects.hostSnapshot('a'), huge)
  expect(bus.counts.dropped).toBe(1)
  publish(bus, 'a', 2n)
  await until(() => seen.includes('a:2'))
  expect(bus.isConnected).toBe(true)
}, 30_000)

it('shows a late reader what was stored before the server was killed', async () => {
  const bus = await connectTo(server.url)
  const kv = await bus.openKv({ name: 'spec_kept' })
  const revision = await kv.create('k', new Uint8Array([1]))
  publish(bus, 'a', 1n)
  const first = watch(bus)
  await until(() => first.includes('a:1'))
  await server.kill()
  await server.restart()
  const later = await connectTo(server.url)
  const seen = watch(later)
  await until(() => seen.includes('a:1'))
  const kept = await (await later.openKv({ name: 'spec_kept' })).get('k')
  expect(kept).toEqual({ value: new Uint8Array([1]), revision })
}, 30_000)

it('brings every last value of a large fleet', async () => {
  const bus = await connectTo(server.url)
  for (let host = 0; host < 700; host++) publish(bus, `h${host}`, 1n)
  const seen = watch(await connectTo(server.url))
  await until(() => new Set(seen).size === 700)
}, 30_000)

it('notices a server that hangs', async () => {
  const bus = await connectTo(server.url)
  await server.freeze()
  await until(() => !bus.isConnected)
  server.thaw()
  await until(() => bus.isConnected)
}, 40_000)

it('finds out that a change was made though its answer came too late', async () => {
  const bus = await connectTo(server.url)
  const kv = await bus.openKv({ name: 'spec_slow', timeoutMs: 2000 })
  const revision = await kv.create('k', new Uint8Array([1]))
  await server.freeze()
  clock.after(3000, server.thaw)
  const changed = await kv.update('k', new Uint8Array([2]), revision)
  expect(changed).toBeGreaterThan(revision)
  expect(await kv.get('k')).toEqual({ value: new Uint8Array([2]), revision: changed })
}, 20_000)

it('never gives a revision twice, though every entry expired before the server was killed', async () => {
  const bucket = { name: 'spec_terms', ttlMs: 500 }
  const bus = await connectTo(server.url)
  const kv = await bus.openKv(bucket)
  let last = 0
  for (let value = 0; value < 5; value++)
    last =
      value === 0
        ? await kv.create('k', new Uint8Array([0]))
        : await kv.update('k', new Uint8Array([value]), last)
  for (let gone = false; !gone;) gone = (await kv.get('k')) === undefined
  await server.kill()
  await until(() => !bus.isConnected)
  await server.restart()
  await until(() => bus.isConnected)
  expect(await kv.create('k', new Uint8Array([9]))).toBeGreaterThan(last)
}, 30_000)

it('serves live messages on a server without JetStream, and says that nothing is stored', async () => {
  await using plain = await startNatsServer({ jetstream: false })
  const bus = await connectTo(plain.url, 5000)
  expect(bus.isConnected).toBe(true)
  const seen: string[] = []
  bus.subscribe(subjects.allHostSnapshots, (m) => seen.push(m.hostId))
  publish(bus, 'a', 1n)
  await until(() => seen.includes('a'))
  const stored = bus.publishDurable(subjects.hostSnapshot('a'), create(HostSnapshotSchema, {}))
  await expect(stored).rejects.toMatchObject({ reason: 'BUS_UNAVAILABLE' })
}, 20_000)
