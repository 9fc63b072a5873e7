import { describe, expect, it } from '@jest/globals'
import {
  createFleetView,
  foldSnapshot,
  markKeyed,
  reserve,
  type FleetView,
  type PoolSnapshot,
} from '@berth/fleet'
import { hostSnapshot, poolSnapshot, type PoolDraft } from '@berth/fleet/testing'
import type { HostId, InstanceId, ModelId, PoolId } from '@berth/kernel'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'

const p = (id: string) => id as PoolId
const H1 = 'h1' as HostId

const fleet = (...pools: readonly PoolSnapshot[]): FleetView => {
  const view = createFleetView()
  foldSnapshot(view, hostSnapshot('h1', pools), 0)
  markKeyed(view, H1, 1)
  return view
}
const decide = (view: FleetView, draft: Partial<PlacementJob> = {}, now = 0) => {
  const decision = place(view, plainJob(draft), POLICY, now)
  return decision.kind === 'assigned'
    ? { kind: decision.kind, pool: decision.pool.poolId }
    : { kind: decision.kind, reason: decision.reason }
}

describe('what can never run', () => {
  it.each<[string, PoolDraft, Partial<PlacementJob>, string]>([
    ['a model nobody knows', {}, { modelId: 'x' as ModelId }, 'MODEL_NOT_FOUND'],
    ['a route no engine supports', {}, { route: '/v1/rerank' }, 'UNSUPPORTED_ROUTE'],
    ['more context than there is', { contextLength: 99 }, { requiredCtx: 100 }, 'INSUFFICIENT_CTX'],
    ['another engine', {}, { engine: 'vllm' }, 'ENGINE_UNAVAILABLE'],
    ['another quantization', {}, { quantization: 'q4' }, 'QUANTIZATION_UNSUPPORTED'],
    [
      'a newer device',
      { computeCapability: 8 },
      { minComputeCap: 8.6 },
      'COMPUTE_CAPABILITY_TOO_LOW',
    ],
    ['a device of unknown capability', {}, { minComputeCap: 1 }, 'COMPUTE_CAPABILITY_TOO_LOW'],
    ['an extension', {}, { requiredExtensions: ['x'] }, 'EXTENSIONS_UNSATISFIED'],
    ['more memory', { vramTotalBytes: 9 }, { minVramBytes: 10 }, 'MIN_VRAM_UNMET'],
    ['other devices', {}, { requireDeviceMask: ['0'] }, 'DEVICE_MASK_UNSATISFIED'],
    [
      'part of a mask',
      { deviceMask: ['0', '1'] },
      { requireDeviceMask: ['0'] },
      'DEVICE_MASK_UNSATISFIED',
    ],
    ['a pool it avoids', {}, { avoidPools: [p('p1')] }, 'POOL_AVOIDED'],
    ['a pool that gave up', { state: 'failed', isReady: false }, {}, 'POOL_FAILED'],
    ['a pin to nowhere', {}, { pinPoolId: p('p9') }, 'PINNED_POOL_INFEASIBLE'],
    ['a preference to nowhere', {}, { preferPools: [p('p9')] }, 'NO_PREFERRED_FEASIBLE'],
  ])('is a job that needs %s', (_, draft, job, reason) => {
    expect(decide(fleet(poolSnapshot('p1', draft)), job)).toEqual({ kind: 'impossible', reason })
  })

  it('[004-19a, 004-S5][ORCH-3900] is any job in an empty fleet, as an answer and not as an exception', () => {
    expect(decide(createFleetView())).toEqual({ kind: 'impossible', reason: 'MODEL_NOT_FOUND' })
  })
})

describe('what fits exactly', () => {
  it.each<[string, PoolDraft, Partial<PlacementJob>]>([
    ['all of the context', { contextLength: 100 }, { requiredCtx: 100 }],
    ['a context nobody knows', { contextLength: 0 }, { requiredCtx: 100 }],
    ['the capability of the device', { computeCapability: 8.6 }, { minComputeCap: 8.6 }],
    ['all of the memory', { vramTotalBytes: 10 }, { minVramBytes: 10 }],
    ['the whole mask in any order', { deviceMask: ['0', '1'] }, { requireDeviceMask: ['1', '0'] }],
  ])('is assigned: %s', (_, draft, job) => {
    expect(decide(fleet(poolSnapshot('p1', draft)), job)).toEqual({ kind: 'assigned', pool: 'p1' })
  })
})

describe('what waits', () => {
  it.each<[string, PoolDraft]>([
    ['is not ready', { isReady: false }],
    ['[004-20a][OC-CORE-1010] drains', { isDraining: true }],
    ['is not answered for', { isLive: false }],
  ])('is a job whose only pool %s', (_, draft) => {
    const view = fleet(poolSnapshot('p1', draft))
    expect(decide(view)).toEqual({ kind: 'wait', reason: 'POOL_UNREADY' })
  })

  it('[004-19a2] is a job whose only host is stale', () => {
    const view = fleet(poolSnapshot('p1'))
    expect(decide(view, {}, 10_001)).toEqual({ kind: 'wait', reason: 'POOL_UNREADY' })
  })

  it('is a job whose only host has no lease key yet', () => {
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h1', [poolSnapshot('p1')]), 0)
    expect(decide(view)).toEqual({ kind: 'wait', reason: 'POOL_UNREADY' })
  })

  it('is a job whose only host is about to stop', () => {
    const view = fleet(poolSnapshot('p1'))
    const next = hostSnapshot('h1', [poolSnapshot('p1')], { revision: 2, isDraining: true })
    foldSnapshot(view, next, 0)
    expect(decide(view)).toEqual({ kind: 'wait', reason: 'POOL_UNREADY' })
  })

  it.each([
    ['loading', 'MODEL_LOADING'],
    ['downloading', 'MODEL_LOADING'],
    ['unloading', 'POOL_UNREADY'],
  ] as const)('is a job whose model is %s', (residency, reason) => {
    const ready = poolSnapshot('p1')
    const models = [{ ...ready.models[0]!, residency }]
    expect(decide(fleet({ ...ready, models }))).toEqual({ kind: 'wait', reason })
  })

  it('is a job that finds every slot taken, for as long as a slot is expected to be', () => {
    const performance = { tokensPerS: 100, firstTokenMs: 500, samples: 9 }
    const view = fleet(poolSnapshot('p1', { slotsTotal: 3, performance }))
    for (let slot = 0; slot < 3; slot++) reserve(view, p('p1'))
    const decision = place(view, plainJob({ queueAhead: 1 }), POLICY, 0)
    // 2 ms, then 500 ms, then 100 tokens at 100/s: somewhere in 1,502 ms each of three leases ends,
    // the second after two fourths of it. This job is second.
    expect(decision).toEqual({ kind: 'wait', reason: 'NO_CAPACITY', predictedStartMs: 751 })
  })

  it('is a job excluded from its only pool, until the exclusion ends or the instance does', () => {
    const view = fleet(poolSnapshot('p1'))
    const exclusions = [{ poolId: p('p1'), instanceId: 'p1-1' as InstanceId }]
    const job = { exclusions, exclusionsEndMs: 2_000 }
    expect(decide(view, job, 1_999)).toEqual({ kind: 'wait', reason: 'POOL_EXCLUDED' })
    expect(decide(view, job, 2_000)).toEqual({ kind: 'assigned', pool: 'p1' })
    const pools = [poolSnapshot('p1', { instanceId: 'p1-2' })]
    foldSnapshot(view, hostSnapshot('h1', pools, { revision: 2 }), 1)
    expect(decide(view, job, 1_999)).toEqual({ kind: 'assigned', pool: 'p1' })
  })

  it('waits for the nearest pool when others can never serve', () => {
    const view = fleet(poolSnapshot('p1', { contextLength: 10 }), poolSnapshot('p2'))
    reserve(view, p('p2'))
    expect(decide(view, { requiredCtx: 50 })).toEqual({ kind: 'wait', reason: 'NO_CAPACITY' })
  })
})

describe('overrides', () => {
  const three = () => fleet(poolSnapshot('a'), poolSnapshot('b'), poolSnapshot('c'))

  it('[OC-CORE-1018] a pin goes to its pool, and waits for it rather than falling back', () => {
    const view = three()
    expect(decide(view, { pinPoolId: p('b') })).toEqual({ kind: 'assigned', pool: 'b' })
    reserve(view, p('b'))
    const pinned = { pinPoolId: p('b'), allowFallback: true }
    expect(decide(view, pinned)).toEqual({ kind: 'wait', reason: 'NO_CAPACITY' })
  })

  it('a preference is kept before better scores', () => {
    expect(decide(three(), { preferPools: [p('c')] })).toEqual({ kind: 'assigned', pool: 'c' })
  })

  it('a busy preferred pool is waited for without a fallback, and passed over with one', () => {
    const view = three()
    reserve(view, p('c'))
    const preferPools = [p('c')]
    expect(decide(view, { preferPools })).toEqual({ kind: 'wait', reason: 'NO_CAPACITY' })
    expect(decide(view, { preferPools, allowFallback: true })).toMatchObject({ pool: 'a' })
  })

  it('an avoided pool is never used', () => {
    const job = { avoidPools: [p('a')] }
    expect(decide(three(), job)).toEqual({ kind: 'assigned', pool: 'b' })
  })
})

describe('the score and its ties', () => {
  const speed = (tokensPerS: number, firstTokenMs: number) => ({
    performance: { tokensPerS, firstTokenMs, samples: 1 },
  })

  it('[004-03a, 004-16a, 004-S5] the pool where the job ends first wins: a quick start for short, throughput for long', () => {
    const view = fleet(poolSnapshot('a', speed(10, 100)), poolSnapshot('b', speed(100, 2_000)))
    expect(decide(view, { expectedTokens: 5 })).toMatchObject({ pool: 'a' })
    expect(decide(view, { expectedTokens: 500 })).toMatchObject({ pool: 'b' })
  })

  it('[004-03b] the predicted end is whole milliseconds and counts the way to the ingress', () => {
    const view = fleet(poolSnapshot('a', speed(30, 100)))
    const decision = place(view, plainJob({ expectedTokens: 10 }), POLICY, 0)
    expect(decision).toMatchObject({ kind: 'assigned', predictedEndMs: 2 + 100 + 333 })
  })

  it('a pool without measurements is taken for a default of its device kind', () => {
    const view = createFleetView()
    const devices = [
      { deviceId: 'cpu', kind: 'cpu' },
      { deviceId: '0', kind: 'nvidia' },
    ] as const
    const pools = [poolSnapshot('a'), poolSnapshot('b', { deviceMask: ['0'] })]
    foldSnapshot(view, hostSnapshot('h1', pools, { devices }), 0)
    markKeyed(view, H1, 1)
    expect(decide(view)).toMatchObject({ pool: 'b' })
  })

  it('[004-30a] scoring by speed can be switched off', () => {
    const view = fleet(poolSnapshot('a', speed(1, 900)), poolSnapshot('b', speed(99, 1)))
    reserve(view, p('b'))
    const policy = { ...POLICY, isPerformanceAware: false }
    expect(place(view, plainJob(), policy, 0)).toMatchObject({ pool: { poolId: 'a' } })
  })

  it.each<[string, PoolDraft, PoolDraft, Partial<PlacementJob>, number]>([
    ['[004-02b1, 004-24a] the warm pool', {}, {}, { warmPoolId: p('b') }, 0],
    ['[004-02b2, 004-24a] fewer leases', { slotsTotal: 9 }, { slotsTotal: 2 }, {}, 1],
    ['more slots free', { slotsTotal: 1 }, { slotsTotal: 2 }, {}, 0],
    ['more memory free', { vramFreeBytes: 1 }, { vramFreeBytes: 2 }, {}, 0],
  ])('equal ends go to %s before the id', (_, a, b, job, leasesOfA) => {
    const view = fleet(poolSnapshot('a', a), poolSnapshot('b', b))
    for (let lease = 0; lease < leasesOfA; lease++) reserve(view, p('a'))
    expect(decide(view, job)).toEqual({ kind: 'assigned', pool: 'b' })
  })

  it('equal in everything goes by id', () => {
    expect(decide(fleet(poolSnapshot('b'), poolSnapshot('a')))).toMatchObject({ pool: 'a' })
  })
})
