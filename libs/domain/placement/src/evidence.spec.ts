import { describe, expect, it } from '@jest/globals'
import { createFleetView, foldSnapshot, markKeyed, reserve, type FleetView } from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import type { HostId, PoolId } from '@berth/kernel'
import { noteGrant, noteVoid } from './evidence.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'

const fleet = (...pools: readonly string[]): FleetView => {
  const view = createFleetView()
  const snapshots = pools.map((poolId) => poolSnapshot(poolId, { slotsTotal: 8 }))
  foldSnapshot(view, hostSnapshot('h1', snapshots), 0)
  markKeyed(view, 'h1' as HostId, 1)
  return view
}

const chain = (blocks: number, root = 7) =>
  Uint32Array.from({ length: 2 * blocks }, (_, word) => Math.imul(root + (word >> 1), 0x9e3779b1))
const promptOf = (blocks: number, root?: number) =>
  plainJob({ prefix: chain(blocks, root), promptTokens: blocks * 512 })

/** Whatever was granted at 0 is read by then. */
const READ_MS = 9_500

const chosen = (view: FleetView, job: PlacementJob) => {
  const decision = place(view, job, POLICY, READ_MS)
  return decision.kind === 'assigned' ? decision.pool.poolId : decision.reason
}
const grantOn = (view: FleetView, poolId: string, job: PlacementJob) => {
  const pool = view.pools.get(poolId as PoolId)!
  reserve(view, pool.poolId)
  return noteGrant(view, job, pool, 0)
}

describe('a prompt goes where its beginning was read before', () => {
  it('while that pool has the instance that read it', () => {
    const view = fleet('a', 'b', 'c')
    grantOn(view, 'c', promptOf(8))
    expect(chosen(view, promptOf(9))).toBe('c')
    const snapshots = ['a', 'b', 'c'].map((id) =>
      poolSnapshot(id, { slotsTotal: 8, instanceId: `${id}-2` }),
    )
    foldSnapshot(view, hostSnapshot('h1', snapshots, { revision: 2 }), 0)
    expect(chosen(view, promptOf(9))).toBe('a')
  })

  it('but not for another beginning', () => {
    const view = fleet('a', 'b', 'c')
    grantOn(view, 'c', promptOf(8))
    expect(chosen(view, promptOf(8, 1_000))).toBe('a')
  })

  it('unless the grant was void', () => {
    const view = fleet('a', 'b', 'c')
    const note = grantOn(view, 'c', promptOf(8))
    noteVoid(view, note, 1)
    expect(chosen(view, promptOf(8))).toBe('a')
  })
})
