import { describe, expect, it } from '@jest/globals'
import type { HostId, ModelId, PoolId } from '@berth/kernel'
import { createFleetView } from './fleet-view.ts'
import { foldHeartbeat, foldSnapshot } from './fold-snapshot.ts'
import { DEFAULT_FRESHNESS, expireHosts, hostAgeMs } from './freshness.ts'
import { markKeyed } from './reserve.ts'
import { hostSnapshot, poolSnapshot } from './testing/index.ts'

const HOST = 'h1' as HostId
const POOL = 'p1' as PoolId

describe('foldSnapshot', () => {
  it('drops a snapshot with a lower revision, and one of an earlier epoch whatever its revision', () => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [], { epoch: 5, revision: 3 }), 0)
    expect(foldSnapshot(view, hostSnapshot('h1', [], { epoch: 5, revision: 2 }), 1)).toEqual({
      kind: 'dropped',
    })
    expect(foldSnapshot(view, hostSnapshot('h1', [], { epoch: 4, revision: 9 }), 1)).toEqual({
      kind: 'dropped',
    })
    expect(view.hosts.get(HOST)?.heardAtMs).toBe(0)
  })

  it('takes the same pair again as a sign of life only', () => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1')]), 0)
    const pool = view.pools.get(POOL)
    expect(foldSnapshot(view, hostSnapshot('h1', []), 7).kind).toBe('repeated')
    expect(view.pools.get(POOL)).toBe(pool)
    expect(view.hosts.get(HOST)?.heardAtMs).toBe(7)
  })

  it('voids every pool the host had when its agent begins a new life, and asks for the key again', () => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1'), poolSnapshot('p2')]), 0)
    markKeyed(view, HOST, 1)
    const next = hostSnapshot('h1', [poolSnapshot('p1')], { epoch: 2, revision: 1 })
    expect(foldSnapshot(view, next, 1)).toEqual({
      kind: 'applied',
      isNewEpoch: true,
      voided: [
        { poolId: 'p1', cause: 'epoch' },
        { poolId: 'p2', cause: 'epoch' },
      ],
    })
    expect(view.hosts.get(HOST)?.isKeyed).toBe(false)
    expect([...view.pools.keys()]).toEqual(['p1'])
  })

  it.each([
    ['another instance', 'p1-2', [{ poolId: 'p1', cause: 'instance' }]],
    ['no instance', undefined, [{ poolId: 'p1', cause: 'instance' }]],
    ['the same instance', 'p1-1', []],
  ])('voids a pool that now has %s accordingly', (_, instanceId, voided) => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1')]), 0)
    const draft = { instanceId: instanceId as string }
    const next = hostSnapshot('h1', [poolSnapshot('p1', draft)], { revision: 2 })
    expect(foldSnapshot(view, next, 1)).toMatchObject({ kind: 'applied', voided })
  })

  it('does not void a pool that starts its first instance', () => {
    const view = createFleetView()
    const { instanceId: _, ...stopped } = poolSnapshot('p1')
    foldSnapshot(view, hostSnapshot('h1', [stopped]), 0)
    const next = hostSnapshot('h1', [poolSnapshot('p1')], { revision: 2 })
    expect(foldSnapshot(view, next, 1)).toMatchObject({ voided: [] })
  })

  it('removes a pool the host no longer has, and finds the models that are left', () => {
    const view = createFleetView()
    const both = [poolSnapshot('p1', { models: ['a', 'b'] }), poolSnapshot('p2', { models: ['b'] })]
    foldSnapshot(view, hostSnapshot('h1', both), 0)
    const result = foldSnapshot(view, hostSnapshot('h1', [both[1]!], { revision: 2 }), 1)
    expect(result).toMatchObject({ voided: [{ poolId: 'p1', cause: 'gone' }] })
    expect(view.poolsOfModel.has('a' as ModelId)).toBe(false)
    expect(view.poolsOfModel.get('b' as ModelId)?.map(({ poolId }) => poolId)).toEqual(['p2'])
  })
})

describe('a pool id that two hosts claim', () => {
  const contested = () => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1')]), 0)
    foldSnapshot(view, hostSnapshot('h2', [poolSnapshot('p1', { models: ['other'] })]), 20_000)
    return view
  }

  it('stays with the first host, and the conflict is recorded', () => {
    const view = contested()
    expect(view.pools.get(POOL)?.host.hostId).toBe('h1')
    expect([...view.conflicts.get(POOL)!]).toEqual(['h2'])
    expect(view.poolsOfModel.has('other' as ModelId)).toBe(false)
  })

  it('goes to the second host when the first gives it up', () => {
    const view = contested()
    foldSnapshot(view, hostSnapshot('h1', [], { revision: 2 }), 20_001)
    expect(view.pools.get(POOL)?.host.hostId).toBe('h2')
    expect(view.conflicts.size).toBe(0)
  })

  it('goes to the second host when the first goes offline', () => {
    const view = contested()
    expireHosts(view, DEFAULT_FRESHNESS, 30_001)
    expect(view.pools.get(POOL)?.host.hostId).toBe('h2')
  })

  it('is no conflict any more when the second host renames its pool', () => {
    const view = contested()
    foldSnapshot(view, hostSnapshot('h2', [poolSnapshot('p9')], { revision: 2 }), 20_001)
    expect(view.conflicts.size).toBe(0)
    expect([...view.pools.keys()]).toEqual(['p1', 'p9'])
  })
})

describe('foldHeartbeat', () => {
  it.each([
    [{ epoch: 1, revision: 1 }, true, 0],
    [{ epoch: 1, revision: 2 }, false, 5_000],
    [{ epoch: 2, revision: 1 }, false, 5_000],
  ])('of %o refreshes the age only when it speaks of the known snapshot', (pair, counts, ageMs) => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', []), 0)
    expect(foldHeartbeat(view, { hostId: HOST, ...pair }, 5_000)).toBe(counts)
    expect(hostAgeMs(view, view.hosts.get(HOST)!, 5_000)).toBe(ageMs)
  })

  it('of a host nobody knows changes nothing', () => {
    const view = createFleetView()
    expect(foldHeartbeat(view, { hostId: HOST, epoch: 1, revision: 1 }, 0)).toBe(false)
    expect(view.hosts.size).toBe(0)
  })
})
