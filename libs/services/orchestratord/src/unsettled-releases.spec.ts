import { describe, expect, it } from '@jest/globals'
import { create } from '@bufbuild/protobuf'
import { LeaseOutcome, LiveLeaseSchema } from '@berth/contract'
import { createUnsettledReleases } from './unsettled-releases.ts'

const report = {
  outcome: LeaseOutcome.COMPLETED,
  tokensIn: 1,
  tokensOut: 2,
  firstTokenMs: 3,
  decodeMs: 4,
}
const lease = (leaseId: string) => create(LiveLeaseSchema, { leaseId, keyId: 'k' })
const build = (capacity = 10) => {
  const drops: number[] = []
  const releases = createUnsettledReleases({ capacity, onDropped: (all) => drops.push(all) })
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
})
