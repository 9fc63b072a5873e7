import { describe, expect, it } from '@jest/globals'
import { reserve, type ModelResidency } from '@berth/fleet'
import type { PoolDraft } from '@berth/fleet/testing'
import type { ModelId, PoolId } from '@berth/kernel'
import { ask, isFeasible, judge } from './judge.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'
import { GIB, LLAMA, rigPool, rigView } from './testing/reference-rig.ts'

const P = 'p' as PoolId
type Row = readonly [
  what: string,
  pool: PoolDraft,
  job: Partial<PlacementJob>,
  answer: string,
  model?: Partial<ModelResidency>,
]

/** What both ways of asking say of one pool of the rig; they never disagree. */
const ruling = (draft: PoolDraft, job: Partial<PlacementJob>, model?: Partial<ModelResidency>) => {
  const view = rigView(rigPool('p', draft, model))
  const question = ask(view, plainJob(job), POLICY, 0)
  const { reason, when } = judge(question, view.pools.get(P)!)
  expect(isFeasible(question, view.pools.get(P)!)).toBe(reason === 'FEASIBLE')
  return when === 'now' ? 'FEASIBLE' : `${reason} ${when}`
}
const both = { deviceMask: ['0', '1'] }

describe('whether the rig can run a job', () => {
  it.each<Row>([
    ['[004-01a] a model the engine could not load', {}, {}, 'MODEL_INCOMPATIBLE never', failed()],
    ['[004-01a][004-18a] its engine', {}, { engine: 'llamacpp' }, 'FEASIBLE'],
    ['[004-01a][004-18a] another engine', {}, { engine: 'vllm' }, 'ENGINE_UNAVAILABLE never'],
    ['[004-01a] a route it has not', {}, { route: '/v1/rerank' }, 'UNSUPPORTED_ROUTE never'],
    ['[004-01b2] a quantization it runs', {}, { quantization: 'Q8_0' }, 'FEASIBLE'],
    ['[004-01b2] one it does not', {}, { quantization: 'AWQ' }, 'QUANTIZATION_UNSUPPORTED never'],
    ['[004-01b2] that of the model', {}, { quantization: 'AWQ' }, 'FEASIBLE', awq()],
    ['[004-01b3] its capability', {}, { minComputeCap: 8.6 }, 'FEASIBLE'],
    ['[004-01b3] a newer device', {}, { minComputeCap: 8.9 }, 'COMPUTE_CAPABILITY_TOO_LOW never'],
    ['[004-01b4] an extension it has', {}, { requiredExtensions: ['tools'] }, 'FEASIBLE'],
    [
      '[004-01b4] one of two it has not',
      {},
      { requiredExtensions: ['tools', 'grammar'] },
      'EXTENSIONS_UNSATISFIED never',
    ],
    ['[004-01d][OC-CORE-1011] its device', {}, { requireDeviceMask: ['0'] }, 'FEASIBLE'],
    ['[004-01d] another device', {}, { requireDeviceMask: ['1'] }, 'DEVICE_MASK_UNSATISFIED never'],
    [
      '[004-01d] a device more than it has',
      {},
      { requireDeviceMask: ['0', '1'] },
      'DEVICE_MASK_UNSATISFIED never',
    ],
    [
      '[004-01d] a device less than it has',
      both,
      { requireDeviceMask: ['0'] },
      'DEVICE_MASK_UNSATISFIED never',
    ],
    [
      '[004-01d] the same device twice',
      both,
      { requireDeviceMask: ['0', '0'] },
      'DEVICE_MASK_UNSATISFIED never',
    ],
    ['[004-01d] its devices in any order', both, { requireDeviceMask: ['1', '0'] }, 'FEASIBLE'],
    ['[004-18a] all of its context', { contextLength: 8_192 }, { requiredCtx: 8_192 }, 'FEASIBLE'],
    [
      '[004-18a][OC-CORE-1020] a token more',
      { contextLength: 8_192 },
      { requiredCtx: 8_193 },
      'INSUFFICIENT_CTX never',
    ],
  ])('that needs %s', (...[, pool, job, answer, model]: Row) => {
    expect(ruling(pool, job, model)).toBe(answer)
  })
})

describe('whether memory suffices', () => {
  it.each<Row>([
    ['[004-01b] all that is free', {}, { minVramBytes: 18 * GIB }, 'FEASIBLE'],
    ['[004-01b] a byte more', {}, { minVramBytes: 18 * GIB + 1 }, 'MIN_VRAM_UNMET later'],
    ['[004-01b] all of the card', {}, { minVramBytes: 24 * GIB }, 'MIN_VRAM_UNMET later'],
    [
      '[004-01b] more than the card has',
      {},
      { minVramBytes: 24 * GIB + 1 },
      'MIN_VRAM_UNMET never',
    ],
    [
      '[004-01b] any of a CPU, which has none',
      { deviceMask: ['cpu'] },
      { minVramBytes: 1 },
      'MIN_VRAM_UNMET never',
    ],
    [
      '[004-04a] half of it on each of two unequal cards',
      both,
      { minVramBytes: 24 * GIB + 1 },
      'MIN_VRAM_UNMET never',
    ],
    ['[004-04a] what two equal halves hold', both, { minVramBytes: 18 * GIB }, 'FEASIBLE'],
    [
      '[004-04a] what a split of 2:1 holds',
      { ...both, deviceSplit: [2, 1] },
      { minVramBytes: 27 * GIB },
      'FEASIBLE',
    ],
    [
      '[004-04a] more than such a split has free',
      { ...both, deviceSplit: [2, 1] },
      { minVramBytes: 27 * GIB + 1 },
      'MIN_VRAM_UNMET later',
    ],
    [
      '[004-04a] more than such a split has',
      { ...both, deviceSplit: [2, 1] },
      { minVramBytes: 36 * GIB + 1 },
      'MIN_VRAM_UNMET never',
    ],
    ['[004-18b] a cache that fits', {}, { estKvBytes: 18 * GIB }, 'FEASIBLE'],
    ['[004-18b] a cache that is not free', {}, { estKvBytes: 20 * GIB }, 'INSUFFICIENT_VRAM later'],
    ['[004-18b] a cache beyond the card', {}, { estKvBytes: 25 * GIB }, 'INSUFFICIENT_VRAM never'],
    // 131,072 B a token: 147,456 tokens are 18 GiB.
    ['[004-01c] context whose cache fits', wide(), { requiredCtx: 147_456 }, 'FEASIBLE', LLAMA],
    ['[004-01c] a token more', wide(), { requiredCtx: 147_457 }, 'INSUFFICIENT_VRAM later', LLAMA],
    [
      '[004-01c][ORCH-3810] context the card can never hold',
      wide(),
      { requiredCtx: 196_609 },
      'INSUFFICIENT_VRAM never',
      LLAMA,
    ],
    ['a cache where nobody knows', { deviceMask: ['cpu'] }, { estKvBytes: 99 * GIB }, 'FEASIBLE'],
    [
      '[004-01c] a cache in what its engine reserved, although the card is free',
      { kvTotalBytes: 4 * GIB, kvFreeBytes: 2 * GIB },
      { estKvBytes: 3 * GIB },
      'INSUFFICIENT_VRAM later',
    ],
    [
      '[004-01c] a cache in what its engine reserved, although the card is full',
      { vramFreeBytes: 0, kvTotalBytes: 4 * GIB, kvFreeBytes: 4 * GIB },
      { estKvBytes: 3 * GIB },
      'FEASIBLE',
    ],
    [
      '[004-01c] a cache beyond what its engine reserved',
      { kvTotalBytes: 4 * GIB, kvFreeBytes: 4 * GIB },
      { estKvBytes: 5 * GIB },
      'INSUFFICIENT_VRAM never',
    ],
  ])('for a job that needs %s', (...[, pool, job, answer, model]: Row) => {
    expect(ruling(pool, job, model)).toBe(answer)
  })
})

describe('whether a strict job finds what it was told', () => {
  const strict: PoolDraft = { isStrict: true, samplerProfileVersion: 's1' }
  const told = { samplerProfileVersion: 's1', engineVersion: 'b9000', modelDigest: 'd1' }
  it.each<Row>([
    ['a pool that repeats itself', strict, {}, 'FEASIBLE'],
    ['a pool that batches', {}, {}, 'DETERMINISM_UNSATISFIED never'],
    ['all that it was told of', strict, told, 'FEASIBLE'],
    ['another sampler', strict, { samplerProfileVersion: 's2' }, 'DETERMINISM_UNSATISFIED never'],
    ['another engine version', strict, { engineVersion: 'b1' }, 'DETERMINISM_UNSATISFIED never'],
    ['other weights', strict, { modelDigest: 'd2' }, 'DETERMINISM_UNSATISFIED never'],
  ])('[004-11a] in %s', (...[, pool, job, answer]: Row) => {
    expect(ruling(pool, { isStrict: true, ...job }, { digest: 'd1' })).toBe(answer)
  })

  it('[004-11a] and a job that is not strict does not ask', () => {
    expect(ruling({}, { samplerProfileVersion: 's2', modelDigest: 'd2' })).toBe('FEASIBLE')
  })
})

describe('the compatibility matrix', () => {
  /** Pools down, jobs across; `.` is feasible. */
  const JOBS: readonly (readonly [string, Partial<PlacementJob>])[] = [
    ['plain', {}],
    ['20 GiB', { minVramBytes: 20 * GIB }],
    ['cc 8.9', { minComputeCap: 8.9 }],
    ['Q8_0', { quantization: 'Q8_0' }],
    ['vllm', { engine: 'vllm' }],
    ['strict', { isStrict: true }],
  ]
  it.each<[string, PoolDraft, string]>([
    ['3090', {}, '. later never . never never'],
    ['3060', { deviceMask: ['1'] }, '. never never . never never'],
    ['both, even', both, '. later never . never never'],
    ['both, 2:1', { ...both, deviceSplit: [2, 1] }, '. . never . never never'],
    ['vllm', { engine: 'vllm', supports: only([]) }, '. later never never . never'],
    ['strict', { isStrict: true }, '. later never . never .'],
    ['busy', { slotsTotal: 0 }, 'later later never later never never'],
    ['failed', { state: 'failed', isReady: false }, 'never never never never never never'],
  ])('[004-24a2] of the pool %s holds for every kind of job', (_, draft, expected) => {
    const answers = JOBS.map(([, job]) => ruling(draft, job).split(' ')[1] ?? '.')
    expect(answers.join(' ')).toBe(expected)
  })
})

it('[004-01a][004-01d] a pool without the model is incompatible with its jobs', () => {
  const view = rigView(rigPool('p'))
  const verdict = judge(
    ask(view, plainJob({ modelId: 'x' as ModelId }), POLICY, 0),
    view.pools.get(P)!,
  )
  expect(verdict).toMatchObject({ reason: 'MODEL_INCOMPATIBLE', when: 'never' })
})

it('[004-02c] a taken slot counts at once, before any snapshot shows it', () => {
  const view = rigView(rigPool('p'))
  reserve(view, P)
  expect(judge(ask(view, plainJob(), POLICY, 0), view.pools.get(P)!).reason).toBe('NO_CAPACITY')
})

function failed(): Partial<ModelResidency> {
  return { residency: 'failed' }
}
function awq(): Partial<ModelResidency> {
  return { quantization: 'AWQ' }
}
function wide(): PoolDraft {
  return { contextLength: 1_000_000 }
}
function only(quantizations: readonly string[]) {
  return { routes: ['/v1/chat/completions'], quantizations, extensions: [] }
}
