import { describe, expect, it } from '@jest/globals'
import { release, reserve, type FleetView } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { PoolId } from '@berth/kernel'
import { noteRelease } from './evidence.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { AGELESS, chosenIn, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const NOW_MS = 1e6
const SLOTS = 4
/** What a job of 100 tokens was seen to take: 1.12 s in the fast pools, 10.1 s in the slow one. */
const SPEEDS = {
  fast: { firstTokenMs: 100, decodeMs: 1_020 },
  slow: { firstTokenMs: 100, decodeMs: 10_000 },
}

const serve = (view: FleetView, poolId: string) => {
  const note = grantOn(view, poolId, plainJob({ promptTokens: 100 }), 0)
  const { firstTokenMs, decodeMs } = poolId.startsWith('fast') ? SPEEDS.fast : SPEEDS.slow
  const measured = { tokensIn: 100, tokensOut: 100, firstTokenMs, decodeMs, isComplete: true }
  noteRelease(view, note, measured, firstTokenMs + decodeMs)
  release(view, note.poolId)
}

const fill = (view: FleetView, poolId: string) => {
  for (let slot = 0; slot < SLOTS; slot++) reserve(view, poolId as PoolId)
}

/** Two fast pools without a free slot and a slow one with four; all have served, or those named. */
const busyFleet = (order = ['fast-1', 'fast-2', 'slow'], served = order, draft = {}) => {
  const kind = (id: string) => (id === 'slow' ? { engine: 'llama.cpp' } : draft)
  const view = fleetOf(...order.map((id) => poolSnapshot(id, { slotsTotal: SLOTS, ...kind(id) })))
  for (const id of served) serve(view, id)
  fill(view, 'fast-1')
  fill(view, 'fast-2')
  return view
}

const patient = (draft: Partial<PlacementJob> = {}) =>
  plainJob({ promptTokens: 100, declineMs: 10_000, ...draft })
const chosen = (view: FleetView, draft = {}, policy: PlacementPolicy = AGELESS) =>
  chosenIn(view, patient(draft), policy, NOW_MS)

describe('a job for which only a slow pool has a free slot', () => {
  it('waits where it is over first in the next slot of a fast one', () => {
    const decision = place(busyFleet(), patient(), AGELESS, NOW_MS)
    expect(decision).toMatchObject({ kind: 'wait', reason: 'NO_CAPACITY' })
    // Eight slots, each free after 1.12 s.
    expect(decision).toMatchObject({ predictedStartMs: 140 })
  })

  it('takes it when it may not decline one, or no longer', () => {
    expect(chosen(busyFleet(), { declineMs: undefined })).toBe('slow')
    expect(chosen(busyFleet(), { declineMs: 100 })).toBe('slow')
  })

  it('takes it behind so many jobs that they get the fast slots until it would be over', () => {
    const decision = place(busyFleet(), patient(), AGELESS, NOW_MS)
    const upTo = decision.kind === 'wait' ? decision.declinesUpTo! : NaN
    expect(upTo).toBeGreaterThan(8)
    expect(chosen(busyFleet(), { queueAhead: upTo })).toBe('NO_CAPACITY')
    expect(chosen(busyFleet(), { queueAhead: upTo + 1 })).toBe('slow')
  })

  it('takes it where nobody measured how fast either is', () => {
    expect(chosen(busyFleet(undefined, ['slow']))).toBe('slow')
    expect(chosen(busyFleet(undefined, ['fast-1', 'fast-2'], SAID_TO_BE_FAST))).toBe('slow')
  })

  it('takes it where the fast ones can not serve it anyway', () => {
    expect(chosen(busyFleet(), { avoidPools: ['fast-1', 'fast-2'] as PoolId[] })).toBe('slow')
    expect(
      chosen(busyFleet(undefined, undefined, { contextLength: 50 }), { requiredCtx: 60 }),
    ).toBe('slow')
  })

  it('takes it where it prefers that pool, is pinned to it, or speed is not to count', () => {
    const slow = 'slow' as PoolId
    expect(chosen(busyFleet(), { preferPools: [slow], allowFallback: true })).toBe('slow')
    expect(chosen(busyFleet(), { pinPoolId: slow })).toBe('slow')
    expect(chosen(busyFleet(), {}, { ...AGELESS, isPerformanceAware: false })).toBe('slow')
  })

  it('goes to a fast pool as soon as that has a slot', () => {
    const view = busyFleet()
    release(view, 'fast-2' as PoolId)
    expect(chosen(view)).toBe('fast-2')
  })

  it('does not wait for a pool that is as fast as the free one', () => {
    const view = busyFleet()
    for (let slot = 0; slot < SLOTS; slot++) release(view, 'fast-1' as PoolId)
    expect(chosen(view)).toBe('fast-1')
  })

  it('gets the same answer in any order of the pools', () => {
    const answers = [
      ['fast-1', 'fast-2', 'slow'],
      ['slow', 'fast-2', 'fast-1'],
    ].map((order) =>
      place(busyFleet(order, ['fast-1', 'fast-2', 'slow']), patient(), AGELESS, NOW_MS),
    )
    expect(answers[1]).toEqual(answers[0])
  })
})

/** Said to be fast, not seen to be. */
const SAID_TO_BE_FAST = { performance: { tokensPerS: 200, firstTokenMs: 10, samples: 9 } }
