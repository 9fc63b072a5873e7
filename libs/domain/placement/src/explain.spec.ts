import { describe, expect, it } from '@jest/globals'
import { foldSnapshot, reserve, type ModelResidency, type PoolSnapshot } from '@berth/fleet'
import { hostSnapshot, type PoolDraft } from '@berth/fleet/testing'
import type { InstanceId, ModelId, PoolId } from '@berth/kernel'
import { explain } from './explain.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'
import { GIB, LLAMA, rigPool, rigView } from './testing/reference-rig.ts'
import { VERDICTS } from './verdict.ts'

const p = (id: string) => id as PoolId
const X = 'x' as ModelId
type Job = Partial<PlacementJob>

const explained = (pools: readonly PoolSnapshot[], job: Job = {}, busy: readonly string[] = []) => {
  const view = rigView(...pools)
  for (const poolId of busy) reserve(view, p(poolId))
  return explain(view, plainJob(job), POLICY, 0)
}

describe('explain', () => {
  it('[004-14b][ORCH-3908] lists every pool with its reason, the chosen one first', () => {
    const fast = { performance: { tokensPerS: 900, firstTokenMs: 1, samples: 3 } }
    const { decision, candidates, filters } = explained([
      rigPool('a', { isReady: false }),
      rigPool('b'),
      rigPool('c', { models: ['x'] }),
      rigPool('d', fast),
      rigPool('e', { models: ['x'] }),
    ])
    expect(decision).toMatchObject({ kind: 'assigned', pool: { poolId: 'd' } })
    const rows = candidates.map(({ poolId, reason, rank, isDefaultHint }) =>
      [poolId, reason, rank, isDefaultHint].join(' '),
    )
    expect(rows).toEqual([
      'd FEASIBLE 1 false',
      'b FEASIBLE 2 true',
      'a POOL_UNREADY 0 true',
      'c MODEL_INCOMPATIBLE 0 true',
      'e MODEL_INCOMPATIBLE 0 true',
    ])
    expect(filters).toEqual([
      { reason: 'MODEL_INCOMPATIBLE', pools: 2 },
      { reason: 'POOL_UNREADY', pools: 1 },
    ])
  })

  it('[004-03a][004-03b] shows the terms whose sum is the predicted end', () => {
    const performance = { tokensPerS: 100, firstTokenMs: 400, samples: 3 }
    const { candidates } = explained([rigPool('a', { performance })], { expectedTokens: 50 })
    expect(candidates[0]).toMatchObject({
      predictedEndMs: 2 + 400 + 500,
      score: { admissionMs: 2, queueAheadMs: 0, firstTokenMs: 400, uncachedFraction: 1 },
      tokensPerS: 100,
    })
    expect(candidates[0]?.score.decodeMs).toBeCloseTo(500)
  })

  it('[004-02b3] shows what room for caches the job would leave, where the host can tell', () => {
    const { candidates } = explained([rigPool('a'), rigPool('b', { deviceMask: ['cpu'] })], {
      estKvBytes: 8 * GIB,
    })
    const room = candidates.map(({ poolId, vramHeadroomBytes }) => [poolId, vramHeadroomBytes])
    expect(new Map(room as [string, number][])).toEqual(
      new Map([
        ['a', 10 * GIB],
        ['b', undefined],
      ]),
    )
  })
})

type Row = readonly [reason: string, detail: string, PoolDraft, Job, Partial<ModelResidency>?]

const loading: Partial<ModelResidency> = { residency: 'loading' }
const broken: Partial<ModelResidency> = { residency: 'failed' }
const strict: PoolDraft = { isStrict: true, samplerProfileVersion: 's1' }
const excluded: Job = {
  exclusions: [{ poolId: p('a'), instanceId: 'a-1' as InstanceId }],
  exclusionsEndMs: 70,
}

/** One pool of the rig, one job that it cannot take. */
const OBSTACLES: readonly Row[] = [
  ['MODEL_INCOMPATIBLE', 'its engine could not load m', {}, {}, broken],
  ['POOL_AVOIDED', 'the job avoids it', {}, { avoidPools: [p('a')] }],
  [
    'UNSUPPORTED_ROUTE',
    'supports /v1/chat/completions, the job needs /v1/rerank',
    {},
    { route: '/v1/rerank' },
  ],
  [
    'DEVICE_MASK_UNSATISFIED',
    'runs on 0, the job needs exactly 0, 1',
    {},
    { requireDeviceMask: ['0', '1'] },
  ],
  ['ENGINE_UNAVAILABLE', 'runs llamacpp, the job needs vllm', {}, { engine: 'vllm' }],
  ['QUANTIZATION_UNSUPPORTED', 'runs Q4_K_M, Q8_0, the job needs AWQ', {}, { quantization: 'AWQ' }],
  [
    'COMPUTE_CAPABILITY_TOO_LOW',
    'has compute capability 8.6, the job needs 8.9',
    {},
    { minComputeCap: 8.9 },
  ],
  ['EXTENSIONS_UNSATISFIED', 'lacks lora', {}, { requiredExtensions: ['tools', 'lora'] }],
  ['DETERMINISM_UNSATISFIED', 'is not declared strict: it batches jobs', {}, { isStrict: true }],
  [
    'DETERMINISM_UNSATISFIED',
    'has sampler profile s1, the job needs s2; has model digest unknown, the job needs d',
    strict,
    { isStrict: true, samplerProfileVersion: 's2', modelDigest: 'd' },
  ],
  [
    'MIN_VRAM_UNMET',
    'has 25769803776 bytes of video memory in all, the job needs 32212254720',
    {},
    { minVramBytes: 30 * GIB },
  ],
  [
    'MIN_VRAM_UNMET',
    'has 19327352832 bytes of video memory now, the job needs 21474836480',
    {},
    { minVramBytes: 20 * GIB },
  ],
  [
    'INSUFFICIENT_CTX',
    'has 8192 tokens of context, the job needs 20000',
    { contextLength: 8_192 },
    { requiredCtx: 20_000 },
  ],
  [
    'INSUFFICIENT_VRAM',
    'has 3 bytes of room for caches in all, the job needs 4',
    { kvTotalBytes: 3 },
    { estKvBytes: 4 },
  ],
  [
    'INSUFFICIENT_VRAM',
    'has 3 bytes of room for caches now, the job needs 4',
    { kvTotalBytes: 9, kvFreeBytes: 3 },
    { estKvBytes: 4 },
  ],
  [
    'INSUFFICIENT_VRAM',
    'has 268435456 bytes of room for caches in all, the job needs 536870912 for 4096 tokens',
    { kvTotalBytes: GIB / 4 },
    { requiredCtx: 4_096 },
    LLAMA,
  ],
  ['POOL_FAILED', 'has failed: breaker', { state: 'failed', stateReason: 'breaker' }, {}],
  ['POOL_UNREADY', 'is starting', { state: 'starting', isReady: false }, {}],
  ['POOL_UNREADY', 'is draining', { isDraining: true }, {}],
  ['POOL_UNREADY', 'has m on_disk', {}, {}, { residency: 'on_disk' }],
  ['POOL_EXCLUDED', 'refused this job; tried again in 70 ms', {}, excluded],
  ['MODEL_LOADING', 'is loading m', {}, {}, loading],
  ['NO_CAPACITY', 'all of its 0 slots are taken', { slotsTotal: 0 }, {}],
]

describe('why a pool is left out', () => {
  it.each(OBSTACLES)('[004-01d][004-14b] %s: %s', (...[reason, detail, draft, job, model]: Row) => {
    const { candidates, decision, advice } = explained([rigPool('a', draft, model)], job)
    expect(candidates[0]).toMatchObject({ reason, detail, rank: 0 })
    expect(decision).toMatchObject({ reason })
    expect(advice.join(' ')).toMatch(/^[A-Z].*\.$/)
  })

  it('[004-04b] has a case here or below for every reason there is', () => {
    const others = [
      'FEASIBLE',
      'MODEL_NOT_FOUND',
      'PINNED_POOL_INFEASIBLE',
      'NO_PREFERRED_FEASIBLE',
    ]
    const reasons = new Set(Object.values(VERDICTS).map(({ reason }) => reason as string))
    expect(new Set([...OBSTACLES.map(([reason]) => reason), ...others])).toEqual(reasons)
  })

  it('says how long a host has not been heard', () => {
    const view = rigView(rigPool('a'))
    const { candidates } = explain(view, plainJob(), POLICY, 12_000)
    expect(candidates[0]?.detail).toBe(
      'its host rig was last heard 12000 ms ago, the limit is 10000 ms',
    )
  })

  it('says that the host is about to stop', () => {
    const view = rigView(rigPool('a'))
    foldSnapshot(view, hostSnapshot('rig', [rigPool('a')], { revision: 2, isDraining: true }), 0)
    const { candidates } = explain(view, plainJob(), POLICY, 0)
    expect(candidates[0]?.detail).toBe('its host rig is about to stop')
  })
})

describe('the answer of a whole fleet', () => {
  it.each<[string, Job, string]>([
    ['no pool lists the model', { modelId: X }, 'MODEL_NOT_FOUND'],
    ['the pin is of no pool', { pinPoolId: p('z') }, 'PINNED_POOL_INFEASIBLE'],
    ['the pinned pool can never', { pinPoolId: p('small') }, 'PINNED_POOL_INFEASIBLE'],
    ['no preferred pool can', { preferPools: [p('small')] }, 'NO_PREFERRED_FEASIBLE'],
    ['the nearest lacks context', {}, 'INSUFFICIENT_CTX'],
  ])('[004-04b][004-16b] is the most actionable reason when %s', (_, job, reason) => {
    const pools = [
      rigPool('small', { supports: { routes: [], quantizations: [], extensions: [] } }),
      rigPool('big', { contextLength: 99 }),
    ]
    const asked = plainJob({ requiredCtx: 100, ...job })
    expect(place(rigView(...pools), asked, POLICY, 0)).toMatchObject({ kind: 'impossible', reason })
  })

  it('[004-24a2] a device mask leaves every pool out that has not just these devices', () => {
    const pools = [
      rigPool('one', { deviceMask: ['0'] }),
      rigPool('other', { deviceMask: ['1'] }),
      rigPool('both', { deviceMask: ['0', '1'] }),
    ]
    const { decision, filters } = explained(pools, { requireDeviceMask: ['1', '0'] })
    expect(decision).toMatchObject({ pool: { poolId: 'both' } })
    expect(filters).toEqual([{ reason: 'DEVICE_MASK_UNSATISFIED', pools: 2 }])
  })
})

describe('pin, prefer, avoid and fallback together', () => {
  const A = [p('a')]
  it.each<[string, Job, readonly string[], string]>([
    ['a pin beats a preference', { pinPoolId: p('b'), preferPools: A }, [], 'b pinned'],
    [
      'a pin to an avoided pool',
      { pinPoolId: p('a'), avoidPools: A },
      [],
      'PINNED_POOL_INFEASIBLE',
    ],
    ['a busy pin is waited for', { pinPoolId: p('a'), allowFallback: true }, ['a'], 'NO_CAPACITY'],
    ['a preference', { preferPools: [p('c')] }, [], 'c'],
    ['a preference for two', { preferPools: [p('c'), p('b')] }, [], 'b'],
    ['a busy preference is waited for', { preferPools: A }, ['a'], 'NO_CAPACITY'],
    ['or passed over', { preferPools: A, allowFallback: true }, ['a'], 'b fallback'],
    ['an avoided preference', { preferPools: A, avoidPools: A }, [], 'NO_PREFERRED_FEASIBLE'],
    [
      'an avoided preference with a fallback',
      { preferPools: A, avoidPools: A, allowFallback: true },
      [],
      'b fallback',
    ],
    [
      'what is avoided is no fallback',
      { preferPools: A, avoidPools: [p('b')], allowFallback: true },
      ['a'],
      'c fallback',
    ],
    ['all avoided', { avoidPools: [p('a'), p('b'), p('c')] }, [], 'POOL_AVOIDED'],
    ['an avoided pool nobody has', { avoidPools: [p('z')] }, [], 'a'],
  ])('%s', (...[, job, busy, answer]: [string, Job, readonly string[], string]) => {
    const pools = [rigPool('a'), rigPool('b'), rigPool('c')]
    const { decision, isPinned, isFallback } = explained(pools, job, busy)
    const said =
      decision.kind === 'assigned'
        ? [decision.pool.poolId, isPinned ? 'pinned' : '', isFallback ? 'fallback' : '']
        : [decision.reason]
    expect(said.filter((word) => word !== '').join(' ')).toBe(answer)
  })

  it('shows a pool that could, were it preferred, as left out by the preference', () => {
    const { candidates, advice } = explained([rigPool('a'), rigPool('b')], { preferPools: A }, [
      'a',
    ])
    expect(candidates.map(({ poolId, reason }) => `${poolId} ${reason}`)).toEqual([
      'a NO_CAPACITY',
      'b NO_PREFERRED_FEASIBLE',
    ])
    expect(advice).toEqual([
      'Wait for one of 1 slots of a, or add a pool.',
      'Allow a fallback: b could take the job.',
    ])
  })
})
