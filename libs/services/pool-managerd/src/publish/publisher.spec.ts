import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import type { Bus } from '@berth/bus'
import { HostSnapshotSchema, type HostHeartbeat, type HostSnapshot } from '@berth/contract'
import { createSimClock, type SimClock } from '@berth/kernel/testing'
import { createPublisher, type Publisher } from './publisher.ts'

let clock: SimClock
let publisher: Publisher
let sent: { readonly subject: string; readonly at: number; readonly revision: number }[]
beforeEach(() => {
  clock = createSimClock()
  sent = []
  const publish: Bus['publish'] = (subject, message) => {
    const { revision } = message as unknown as HostSnapshot | HostHeartbeat
    sent.push({ subject: subject.name, at: clock.now(), revision: Number(revision) })
  }
  publisher = createPublisher({
    ...{ bus: { publish } as Bus, clock, hostId: 'h1', epoch: 7 },
    build: (revision) => create(HostSnapshotSchema, { hostId: 'h1', revision: BigInt(revision) }),
  })
})
afterEach(() => publisher[Symbol.dispose]())

const timesOf = (part: string) =>
  sent.filter(({ subject }) => subject.includes(part)).map(({ at }) => at)

describe('what a host publishes of itself', () => {
  it('[002-04, 002-27a] is a heartbeat every 2 s and its whole state every 10 s', async () => {
    await clock.advance(20_000)
    expect(timesOf('heartbeat')).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20].map((s) => s * 1_000))
    expect(timesOf('snapshot')).toEqual([10_000, 20_000])
  })

  it('[002-04, 002-11c] is a change at once, in 50 ms or in 250, as it matters', async () => {
    publisher.changed('soon')
    publisher.changed('soon')
    await clock.advance(249)
    expect(sent).toEqual([])
    await clock.advance(1)
    expect(timesOf('snapshot')).toEqual([250])
    publisher.changed('soon')
    publisher.changed('urgent')
    await clock.advance(300)
    expect(timesOf('snapshot')).toEqual([250, 300])
    publisher.changed('urgent')
    publisher.changed('now')
    await clock.advance(300)
    expect(timesOf('snapshot')).toEqual([250, 300, 550])
  })

  it('[002-27a] is told by its heartbeat as the revision of the last state that was sent', async () => {
    publisher.flush()
    // Asked for, not sent.
    publisher.take()
    await clock.advance(2_000)
    const revisions = sent.map(({ subject, revision }) => [subject.includes('heartbeat'), revision])
    expect(revisions).toEqual([
      [false, 1],
      [true, 1],
    ])
  })

  it('ends with its publisher', async () => {
    publisher.changed('soon')
    publisher[Symbol.dispose]()
    await clock.advance(60_000)
    expect(sent).toEqual([])
    expect(clock.pending()).toBe(0)
  })
})
