import { create } from '@bufbuild/protobuf'
import { EventSchema, HostHeartbeatSchema, HostSnapshotSchema } from '@berth/contract'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Bus } from './bus.ts'
import { memoryHarness, natsHarness, type BusHarness } from './testing/bus-harness.ts'
import { subjects } from './subjects.ts'

const snapshot = (hostId: string, revision: number) =>
  create(HostSnapshotSchema, { hostId, revision: BigInt(revision) })
const bytes = (text: string) => new TextEncoder().encode(text)
const TICKS = 750
const bucket = { name: 'spec_bucket' }

// The memory twin stands in for NATS in simulation: both keep the same promises, or it lies.
describe.each([
  ['NATS', natsHarness],
  ['memory', memoryHarness],
])('the bus over %s', (_name, createHarness) => {
  let harness: BusHarness
  let bus: Bus

  beforeEach(async () => {
    harness = await createHarness()
    bus = await harness.connect()
  }, 20_000)
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  }, 20_000)

  /** Lets time pass until the condition holds, or fails the test. */
  const until = async (holds: () => boolean | Promise<boolean>) => {
    for (let tick = 0; tick < TICKS; tick++) {
      if (await holds()) return
      await harness.tick()
    }
    throw new Error(`still not so after ${TICKS} ticks: ${holds.toString()}`)
  }

  /** `<host>:<revision>` of every snapshot seen by a watch of all hosts. */
  const watchSnapshots = (on: Bus) => {
    const seen: string[] = []
    const cancel = on.watchLatest(subjects.allHostSnapshots, (message) =>
      seen.push(`${message.hostId}:${message.revision}`),
    )
    return { seen, cancel, has: (entry: string) => until(() => seen.includes(entry)) }
  }

  it('delivers a message to every subscriber of its subject, and to no other', async () => {
    const other = await harness.connect()
    const got: string[] = []
    bus.subscribe(subjects.allHostHeartbeats, (m, name) => got.push(`all ${name} ${m.revision}`))
    other.subscribe(subjects.hostHeartbeat('a'), (m, name) => got.push(`a ${name} ${m.revision}`))
    const heartbeat = (hostId: string, revision: bigint) =>
      bus.publish(subjects.hostHeartbeat(hostId), create(HostHeartbeatSchema, { hostId, revision }))
    // Until the first arrives everywhere: a subscription takes a round trip to stand.
    await until(() => {
      heartbeat('a', 1n)
      return got.some((line) => line.startsWith('a '))
    })
    got.length = 0
    heartbeat('b', 2n)
    heartbeat('a', 3n)
    await until(() => got.filter((line) => line.endsWith('3')).length === 2)
    expect(got.filter((line) => line.endsWith('2'))).toEqual(['all berth.v1.host.b.heartbeat 2'])
  })

  it('stops delivering when the subscription is cancelled', async () => {
    const cancelled: bigint[] = []
    const kept: bigint[] = []
    const cancel = bus.subscribe(subjects.allHostHeartbeats, (m) => cancelled.push(m.revision))
    bus.subscribe(subjects.allHostHeartbeats, (m) => kept.push(m.revision))
    cancel()
    const subject = subjects.hostHeartbeat('a')
    bus.publish(subject, create(HostHeartbeatSchema, { revision: 1n }))
    await until(() => kept.length === 1)
    expect(cancelled).toEqual([])
  })

  it('gives a new watcher the last value of each subject, then what comes', async () => {
    for (const revision of [1, 2, 3])
      bus.publish(subjects.hostSnapshot('a'), snapshot('a', revision))
    bus.publish(subjects.hostSnapshot('b'), snapshot('b', 9))
    const late = watchSnapshots(await harness.connect())
    await late.has('a:3')
    await late.has('b:9')
    expect(late.seen.toSorted()).toEqual(['a:3', 'b:9'])
    bus.publish(subjects.hostSnapshot('a'), snapshot('a', 4))
    await late.has('a:4')
  })

  it('never shows a watcher an older value after a newer one', async () => {
    const publisher = await harness.connect()
    publisher.publish(subjects.hostSnapshot('a'), snapshot('a', 0))
    const { seen, has } = watchSnapshots(bus)
    for (let revision = 1; revision <= 50; revision++) {
      publisher.publish(subjects.hostSnapshot('a'), snapshot('a', revision))
      await Promise.resolve()
    }
    await has('a:50')
    const revisions = seen.map((entry) => Number(entry.slice(2)))
    expect(revisions).toEqual(revisions.toSorted((x, y) => x - y))
  })

  it('says when it lost the connection and when it is back', async () => {
    const changes: boolean[] = []
    bus.onStatus((isConnected) => changes.push(isConnected))
    expect(bus.isConnected).toBe(true)
    await harness.cut()
    await until(() => !bus.isConnected)
    await harness.heal()
    await until(() => bus.isConnected)
    expect(changes).toEqual([false, true])
  }, 30_000)

  it('sends the latest of each subject that was published while disconnected', async () => {
    const watcher = watchSnapshots(await harness.connect())
    await harness.cut()
    await until(() => !bus.isConnected)
    for (const revision of [1, 2, 3])
      bus.publish(subjects.hostSnapshot('a'), snapshot('a', revision))
    await harness.heal()
    await watcher.has('a:3')
    expect(watcher.seen.filter((entry) => entry !== 'a:3')).toEqual([])
  }, 30_000)

  it('bounds what it keeps while disconnected and counts what it drops', async () => {
    await harness.cut()
    await until(() => !bus.isConnected)
    for (let host = 0; host < 1030; host++)
      bus.publish(subjects.hostSnapshot(`h${host}`), snapshot(`h${host}`, 1))
    expect(bus.counts.dropped).toBe(6)
  }, 30_000)

  it('keeps a watch alive over a reconnect without repeating itself', async () => {
    const publisher = await harness.connect()
    const watcher = watchSnapshots(bus)
    publisher.publish(subjects.hostSnapshot('a'), snapshot('a', 1))
    await watcher.has('a:1')
    await harness.cut()
    await until(() => !bus.isConnected)
    await harness.heal()
    await until(() => bus.isConnected && publisher.isConnected)
    publisher.publish(subjects.hostSnapshot('a'), snapshot('a', 2))
    await watcher.has('a:2')
    expect(watcher.seen.filter((entry) => entry === 'a:1').length).toBeLessThanOrEqual(2)
    expect(watcher.seen.filter((entry) => entry === 'a:2').length).toBeLessThanOrEqual(2)
  }, 30_000)

  it.each([
    ['bytes that are no protobuf', new Uint8Array([255, 255, 255]), 'berth.v1.HostHeartbeat'],
    ['another message', new Uint8Array(), 'berth.v1.Event'],
  ])('counts %s and goes on', async (_what, payload, type) => {
    const got: bigint[] = []
    const failing = () => {
      throw new Error('a subscriber of the spec fails')
    }
    bus.subscribe(subjects.allHostHeartbeats, failing)
    bus.subscribe(subjects.allHostHeartbeats, (m) => got.push(m.revision))
    const subject = subjects.hostHeartbeat('a')
    await until(() => {
      bus.publish(subject, create(HostHeartbeatSchema, { revision: 1n }))
      return got.length > 0
    })
    await harness.publishRaw(subject.name, payload, `application/protobuf; type=${type}`)
    await until(() => bus.counts.undecodable === 2)
    bus.publish(subject, create(HostHeartbeatSchema, { revision: 2n }))
    await until(() => got.includes(2n))
  })

  it('confirms a durable message, and only where a stream stores it', async () => {
    const event = create(EventSchema, { eventId: 'e1' })
    await bus.publishDurable(subjects.event('leader', 'a'), event, { messageId: 'e1' })
    const got: string[] = []
    bus.watchLatest(subjects.allEvents, (message) => got.push(message.eventId))
    await until(() => got.includes('e1'))
    await expect(
      bus.publishDurable(subjects.hostHeartbeat('a'), create(HostHeartbeatSchema, {})),
    ).rejects.toMatchObject({ reason: 'BUS_UNAVAILABLE' })
  })

  it('refuses what needs an answer while it is disconnected', async () => {
    const kv = await bus.openKv(bucket)
    await harness.cut()
    await until(() => !bus.isConnected)
    const unavailable = { reason: 'BUS_UNAVAILABLE' }
    const event = create(EventSchema, {})
    await expect(bus.publishDurable(subjects.event('x', 'a'), event)).rejects.toMatchObject(
      unavailable,
    )
    await expect(kv.get('k')).rejects.toMatchObject(unavailable)
    await expect(kv.create('k', bytes('v'))).rejects.toMatchObject(unavailable)
    await expect(kv.list()).rejects.toMatchObject(unavailable)
  }, 30_000)

  it('changes an entry by compare-and-set, across clients', async () => {
    const mine = await bus.openKv(bucket)
    const theirs = await (await harness.connect()).openKv(bucket)
    const conflict = { reason: 'REVISION_CONFLICT' }
    const first = await mine.create('k', bytes('1'))
    await expect(theirs.create('k', bytes('x'))).rejects.toMatchObject(conflict)
    const second = await theirs.update('k', bytes('2'), first)
    expect(second).toBeGreaterThan(first)
    await expect(mine.update('k', bytes('y'), first)).rejects.toMatchObject(conflict)
    await expect(mine.delete('k', first)).rejects.toMatchObject(conflict)
    expect(await mine.get('k')).toEqual({ value: bytes('2'), revision: second })
  })

  it('creates a key again after it was deleted', async () => {
    const kv = await bus.openKv(bucket)
    const first = await kv.create('k', bytes('1'))
    await kv.delete('k', first)
    expect(await kv.get('k')).toBeUndefined()
    const again = await kv.create('k', bytes('2'))
    expect(again).toBeGreaterThan(first)
    await kv.delete('k')
    expect(await kv.list()).toEqual([])
  })

  it('lists entries by prefix, whatever characters their keys hold', async () => {
    const kv = await bus.openKv(bucket)
    const keys = ['pool-a', 'pool.b', 'pool/ü *>', 'meta/llama:8b', '=pool']
    for (const key of keys) await kv.create(key, bytes(key))
    const found = await kv.list('pool')
    expect(found.map((entry) => entry.key).toSorted()).toEqual(
      ['pool-a', 'pool.b', 'pool/ü *>'].toSorted(),
    )
    expect((await kv.list()).map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
    expect(await kv.get('meta/llama:8b')).toMatchObject({ value: bytes('meta/llama:8b') })
  })

  it('forgets an entry when its time is over, and lets it be created again', async () => {
    const kv = await bus.openKv({ name: 'spec_ttl', ttlMs: 1000 })
    const first = await kv.create('k', bytes('1'))
    await until(async () => (await kv.get('k')) === undefined)
    await expect(kv.update('k', bytes('2'), first)).rejects.toMatchObject({
      reason: 'REVISION_CONFLICT',
    })
    expect(await kv.create('k', bytes('3'))).toBeGreaterThan(first)
  })

  it('keeps an entry for as long as it is renewed', async () => {
    const kv = await bus.openKv({ name: 'spec_ttl', ttlMs: 1000 })
    const renewForFifteenRounds = async () => {
      let revision = await kv.create('k', bytes('0'))
      for (let renewal = 0; renewal < 15; renewal++) {
        for (let tick = 0; tick < 5; tick++) await harness.tick()
        revision = await kv.update('k', bytes(String(renewal)), revision)
      }
      return revision
    }
    const revision = await renewForFifteenRounds()
    expect(await kv.get('k')).toEqual({ value: bytes('14'), revision })
  })
})
