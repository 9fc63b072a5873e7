import { estKvBytesOf, hostAgeMs, kvTokensOf, type PoolView } from '@berth/fleet'
import type { Question } from './judge.ts'
import type { PlacementReason } from './verdict.ts'

/**
 * The fact behind a pool's reason, with what was asked and what there is, such as "has 8192 tokens
 * of context, the job needs 20000". Empty for a feasible pool.
 */
export const detailOf = (question: Question, pool: PoolView, reason: PlacementReason): string =>
  DETAILS[reason](question, pool)

type Detail = (question: Question, pool: PoolView) => string

const modelDetail: Detail = ({ job }, { residencies }) =>
  residencies.has(job.modelId)
    ? `its engine could not load ${job.modelId}`
    : `does not list ${job.modelId}`

const strictDetail: Detail = ({ job }, { snapshot, residencies }) => {
  if (!snapshot.isStrict) return 'is not declared strict: it batches jobs'
  const facts = [
    ['sampler profile', snapshot.samplerProfileVersion, job.samplerProfileVersion],
    ['engine version', snapshot.engineVersion, job.engineVersion],
    ['model digest', residencies.get(job.modelId)?.digest ?? '', job.modelDigest],
  ] as const
  const changed = facts.filter(([, found, wanted]) => wanted !== '' && wanted !== found)
  return changed
    .map(([name, found, wanted]) => `has ${name} ${found || 'unknown'}, the job needs ${wanted}`)
    .join('; ')
}

const memory = (total: number, free: number, needed: number, of: string): string =>
  needed > total
    ? `has ${total} bytes of ${of} in all, the job needs ${needed}`
    : `has ${free} bytes of ${of} now, the job needs ${needed}`

const cacheDetail: Detail = ({ job }, pool) => {
  const needed = estKvBytesOf(pool, job)
  const sentence = memory(pool.kvTotalBytes, pool.kvFreeBytes, needed, 'room for caches')
  return job.estKvBytes === undefined ? `${sentence} for ${kvTokensOf(pool, job)} tokens` : sentence
}

const unreadyDetail: Detail = ({ view, job, policy, now }, pool) => {
  const { host, snapshot } = pool
  if (host.snapshot.isDraining) return `its host ${host.hostId} is about to stop`
  if (snapshot.isDraining) return 'is draining'
  if (!pool.isOpen) return `is ${snapshot.state}${because(snapshot.stateReason)}`
  if (!host.isProven) return `its host ${host.hostId} has not been heard since core began`
  const ageMs = Math.round(hostAgeMs(view, host, now))
  const { staleMs } = policy.freshness
  if (ageMs > staleMs) {
    return `its host ${host.hostId} was last heard ${ageMs} ms ago, the limit is ${staleMs} ms`
  }
  if (!host.isKeyed) return `its host ${host.hostId} has not taken this leader's key yet`
  return `has ${job.modelId} ${pool.residencies.get(job.modelId)?.residency ?? 'absent'}`
}

const because = (reason: string): string => (reason === '' ? '' : `: ${reason}`)

const listed = (names: readonly string[]): string => names.join(', ') || 'nothing'

const DETAILS: Readonly<Record<PlacementReason, Detail>> = {
  FEASIBLE: () => '',
  MODEL_NOT_FOUND: modelDetail,
  MODEL_INCOMPATIBLE: modelDetail,
  PINNED_POOL_INFEASIBLE: ({ job }) => `the job is pinned to ${job.pinPoolId ?? 'another pool'}`,
  NO_PREFERRED_FEASIBLE: ({ job }) => `the job takes none but ${listed(job.preferPools)}`,
  POOL_AVOIDED: () => 'the job avoids it',
  UNSUPPORTED_ROUTE: ({ job }, { snapshot }) =>
    `supports ${listed(snapshot.supports.routes)}, the job needs ${job.route}`,
  DEVICE_MASK_UNSATISFIED: ({ job }, { snapshot }) =>
    `runs on ${listed(snapshot.deviceMask)}, ` +
    `the job needs exactly ${listed(job.requireDeviceMask)}`,
  ENGINE_UNAVAILABLE: ({ job }, { snapshot }) =>
    `runs ${snapshot.engine}, the job needs ${job.engine}`,
  QUANTIZATION_UNSUPPORTED: ({ job }, { snapshot }) =>
    `runs ${listed(snapshot.supports.quantizations)}, the job needs ${job.quantization}`,
  COMPUTE_CAPABILITY_TOO_LOW: ({ job }, { snapshot }) =>
    `has compute capability ${snapshot.computeCapability ?? 'unknown'}, ` +
    `the job needs ${job.minComputeCap}`,
  EXTENSIONS_UNSATISFIED: ({ job }, { snapshot }) => {
    const has = snapshot.supports.extensions
    return `lacks ${listed(job.requiredExtensions.filter((name) => !has.includes(name)))}`
  },
  DETERMINISM_UNSATISFIED: strictDetail,
  MIN_VRAM_UNMET: ({ job }, { vramTotalBytes, vramFreeBytes }) =>
    memory(vramTotalBytes, vramFreeBytes, job.minVramBytes, 'video memory'),
  INSUFFICIENT_CTX: ({ job }, { contextLength }) =>
    `has ${contextLength} tokens of context, the job needs ${job.requiredCtx}`,
  INSUFFICIENT_VRAM: cacheDetail,
  POOL_FAILED: (_, { snapshot }) => `has failed${because(snapshot.stateReason)}`,
  POOL_UNREADY: unreadyDetail,
  POOL_EXCLUDED: ({ job, now }) =>
    `refused this job; tried again in ${Math.ceil(job.exclusionsEndMs - now)} ms`,
  MODEL_LOADING: ({ job }, { residencies }) =>
    `is ${residencies.get(job.modelId)?.residency ?? 'loading'} ${job.modelId}`,
  NO_CAPACITY: (_, { slotsTotal }) => `all of its ${slotsTotal} slots are taken`,
}
