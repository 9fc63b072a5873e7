import { describe, expect, it } from '@jest/globals'
import { create, toBinary } from '@bufbuild/protobuf'
import { AssignedSchema, HelloSchema, LeaseOutcome, LiveLeaseSchema } from '@berth/contract'
import { createHeldLeases } from './held-leases.ts'
import { createUnsettledReleases } from './unsettled-releases.ts'

const report = {
  outcome: LeaseOutcome.COMPLETED,
  tokensIn: 1,
  tokensOut: 2,
  firstTokenMs: 3,
  decodeMs: 4,
}
const lease = (leaseId: string) => create(LiveLeaseSchema, { leaseId, keyId: 'k' })
const build = (capacity = 10, maxBytes = 1_000_000) => {
  const drops: number[] = []
  const releases = createUnsettledReleases({
    ...{ capacity, maxBytes },
    onDropped: (all) => drops.push(all),
  })
  return { releases, drops }
}

describe('releases that core has not stored', () => {
  it('are numbered from 1 and kept with the lease they ended', () => {
    const { releases } = build()
    expect([releases.add(lease('a'), report), releases.add(lease('b'), report)]).toMatchObject([
      { leaseId: 'a', sequence: 1n, tokensOut: 2 },
      { leaseId: 'b', sequence: 2n },
    ])
    expect(releases.after(0n)).toMatchObject([
      { lease: { leaseId: 'a', keyId: 'k' }, release: { sequence: 1n } },
      { lease: { leaseId: 'b' }, release: { sequence: 2n } },
    ])
  })

  it('are forgotten up to the number core names, and not numbered anew', () => {
    const { releases } = build()
    for (const id of ['a', 'b', 'c']) releases.add(lease(id), report)
    releases.settle(2n)
    expect(releases.after(0n)).toMatchObject([{ release: { sequence: 3n } }])
    releases.settle(9n)
    expect(releases.size).toBe(0)
    expect(releases.add(lease('d'), report).sequence).toBe(4n)
  })

  it('leave, the oldest first, and are counted when there are more than fit', () => {
    const { releases, drops } = build(2)
    for (const id of ['a', 'b', 'c', 'd']) releases.add(lease(id), report)
    expect(drops).toEqual([1, 2])
    expect(releases.after(0n)).toMatchObject([
      { lease: { leaseId: 'c' } },
      { lease: { leaseId: 'd' } },
    ])
  })

  it('leave, the oldest first, and are counted when together they are too long to be told', () => {
    const { releases, drops } = build(10, 1_000)
    for (const id of ['a', 'b', 'c', 'd']) releases.add(lease(id.repeat(150)), report)
    expect(drops).toEqual([1, 2])
    const unsettled = releases.after(0n)
    expect(unsettled.map(({ release }) => release?.sequence)).toEqual([3n, 4n])
    expect(toBinary(HelloSchema, create(HelloSchema, { unsettled })).length).toBeLessThan(1_000)
    releases.settle(3n)
    for (const id of ['e', 'f', 'g']) releases.add(lease(id), report)
    expect([releases.size, drops]).toEqual([4, [1, 2]])
  })

  it('leave room for what else a Hello says', () => {
    const { releases, drops } = build(10, 1_000)
    for (const id of ['a', 'b', 'c']) releases.add(lease(id.repeat(100)), report)
    releases.leaveRoom(600)
    expect(releases.after(0n)).toMatchObject([{ release: { sequence: 3n } }])
    releases.leaveRoom(9_999)
    expect([releases.size, drops]).toEqual([0, [1, 2, 3]])
  })
})

describe('leases that are held', () => {
  it('say how long they are in a Hello', () => {
    const leases = createHeldLeases()
    expect(leases.bytes()).toBe(0)
    for (const leaseId of ['l1', 'l2']) {
      leases.add(create(AssignedSchema, { leaseId, poolId: 'p' }), { modelId: 'm'.repeat(200) })
    }
    const hello = create(HelloSchema, { liveLeases: leases.live() })
    expect(leases.bytes()).toBeGreaterThanOrEqual(toBinary(HelloSchema, hello).length)
    expect(leases.bytes()).toBeLessThan(500)
  })
})
