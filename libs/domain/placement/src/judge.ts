import {
  estKvBytesOf,
  freshnessOf,
  isSharedBit,
  routeBit,
  slotsFree,
  type FleetView,
  type ModelResidency,
  type PoolView,
} from '@berth/fleet'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'
import { VERDICTS, type Verdict } from './verdict.ts'

/** What a decision is made on: the same for every pool it looks at. */
export interface Question {
  readonly view: FleetView
  readonly job: PlacementJob
  readonly policy: PlacementPolicy
  readonly now: number
  /** The job has demands beyond model, route and context; nearly none have. */
  readonly isDemanding: boolean
  /** Of the job's route. */
  readonly routeBit: number
}

/** A question about a job. */
export const ask = (
  view: FleetView,
  job: PlacementJob,
  policy: PlacementPolicy,
  now: number,
): Question => ({
  ...{ view, job, policy, now },
  isDemanding: isDemanding(job),
  routeBit: routeBit(view, job.route),
})

/**
 * `judge(...) === FEASIBLE` for a pool that lists the job's model, without a reason and so without
 * an order: this runs for every pool of every decision, and reads numbers only.
 */
export const isFeasible = (question: Question, pool: PoolView): boolean => {
  const { job, policy, now } = question
  const { host } = pool
  if (!pool.isOpen || !host.isKeyed || !host.isProven || pool.reserved >= pool.slotsTotal) {
    return false
  }
  if ((host.frozenAtMs ?? now) - host.heardAtMs > policy.freshness.staleMs) return false
  if ((pool.routeMask & question.routeBit) === 0) return false
  if (question.isDemanding || job.exclusions.length > 0 || isSharedBit(question.routeBit)) {
    return judge(question, pool) === VERDICTS.FEASIBLE
  }
  if (pool.contextLength > 0 && job.requiredCtx > pool.contextLength) return false
  const residency = pool.onlyResidency ?? pool.residencies.get(job.modelId)?.residency
  if (residency !== 'resident') return false
  return pool.kvFreeBytes === Infinity || estKvBytesOf(pool, job) <= pool.kvFreeBytes
}

/**
 * Whether a pool can take a job, and the first reason why not. What never changes is asked first,
 * so that "not now" is only said of a pool that will do. Allocates nothing.
 */
export const judge = (question: Question, pool: PoolView): Verdict => {
  const model = pool.residencies.get(question.job.modelId)
  if (!model) return VERDICTS.MODEL_INCOMPATIBLE
  const demand = question.isDemanding ? demandVerdict(question.job, pool, model) : undefined
  const fixed = demand ?? basicVerdict(question, pool, model)
  if (fixed) return fixed
  return momentVerdict(question, pool, model) ?? VERDICTS.FEASIBLE
}

const demandVerdict = (
  job: PlacementJob,
  pool: PoolView,
  model: ModelResidency,
): Verdict | undefined => {
  const { snapshot } = pool
  if (job.avoidPools.length > 0 && job.avoidPools.includes(pool.poolId)) {
    return VERDICTS.POOL_AVOIDED
  }
  if (!hasDevices(job, pool)) return VERDICTS.DEVICE_MASK_UNSATISFIED
  if (job.engine !== '' && job.engine !== snapshot.engine) return VERDICTS.ENGINE_UNAVAILABLE
  if (!hasQuantization(job, pool, model)) return VERDICTS.QUANTIZATION_UNSUPPORTED
  // A fact the host cannot tell satisfies no demand.
  if (job.minComputeCap > (snapshot.computeCapability ?? 0)) {
    return VERDICTS.COMPUTE_CAPABILITY_TOO_LOW
  }
  if (!hasExtensions(job, pool)) return VERDICTS.EXTENSIONS_UNSATISFIED
  if (job.isStrict && !isRepeatable(job, pool, model)) return VERDICTS.DETERMINISM_UNSATISFIED
  return job.minVramBytes > pool.vramTotalBytes ? VERDICTS.MIN_VRAM_UNMET : undefined
}

const basicVerdict = (
  question: Question,
  pool: PoolView,
  { residency }: ModelResidency,
): Verdict | undefined => {
  const { job } = question
  if (!supportsRoute(question, pool)) return VERDICTS.UNSUPPORTED_ROUTE
  // Without a known context length the engine itself answers.
  if (pool.contextLength > 0 && job.requiredCtx > pool.contextLength) {
    return VERDICTS.INSUFFICIENT_CTX
  }
  // As with memory for caches that nobody measures.
  if (estKvBytesOf(pool, job) > pool.kvTotalBytes) return VERDICTS.INSUFFICIENT_VRAM
  if (pool.snapshot.state === 'failed') return VERDICTS.POOL_FAILED
  // The engine is well and does not want this model.
  return residency === 'failed' ? VERDICTS.MODEL_INCOMPATIBLE : undefined
}

const momentVerdict = (
  question: Question,
  pool: PoolView,
  { residency }: ModelResidency,
): Verdict | undefined => {
  const { job, now } = question
  if (!isEligible(question, pool)) return VERDICTS.POOL_UNREADY
  if (job.exclusions.length > 0 && now < job.exclusionsEndMs && isExcluded(job, pool)) {
    return VERDICTS.POOL_EXCLUDED
  }
  if (residency !== 'resident') {
    return residency === 'loading' || residency === 'downloading'
      ? VERDICTS.MODEL_LOADING
      : VERDICTS.POOL_UNREADY
  }
  if (job.minVramBytes > pool.vramFreeBytes) return VERDICTS.VRAM_IN_USE
  if (estKvBytesOf(pool, job) > pool.kvFreeBytes) return VERDICTS.CACHE_IN_USE
  return slotsFree(pool) === 0 ? VERDICTS.NO_CAPACITY : undefined
}

/** Whether a pool may be given anything new at all, whatever the job. */
export const isEligible = (
  { view, policy, now }: Pick<Question, 'view' | 'policy' | 'now'>,
  { isOpen, host }: PoolView,
): boolean => isOpen && host.isKeyed && freshnessOf(view, host, policy.freshness, now) === 'fresh'

const isDemanding = (job: PlacementJob): boolean =>
  job.avoidPools.length > 0 ||
  job.requireDeviceMask.length > 0 ||
  job.requiredExtensions.length > 0 ||
  job.engine !== '' ||
  job.quantization !== '' ||
  job.isStrict ||
  job.minComputeCap > 0 ||
  job.minVramBytes > 0

const supportsRoute = ({ job, routeBit: bit }: Question, pool: PoolView): boolean =>
  (pool.routeMask & bit) !== 0 &&
  (!isSharedBit(bit) || pool.snapshot.supports.routes.includes(job.route))

const hasDevices = ({ requireDeviceMask: wanted }: PlacementJob, { snapshot }: PoolView): boolean =>
  wanted.length === 0 ||
  (wanted.length === snapshot.deviceMask.length &&
    // Both ways: a device named twice is not two devices.
    wanted.every((device) => snapshot.deviceMask.includes(device)) &&
    snapshot.deviceMask.every((device) => wanted.includes(device)))

/** The pool's engine can run it, or the model as it lies there is just that. */
const hasQuantization = (
  { quantization: wanted }: PlacementJob,
  { snapshot }: PoolView,
  model: ModelResidency,
): boolean =>
  wanted === '' || wanted === model.quantization || snapshot.supports.quantizations.includes(wanted)

/** The pool repeats itself, and nothing that the job was told of it has changed since. */
const isRepeatable = (job: PlacementJob, { snapshot }: PoolView, model: ModelResidency): boolean =>
  snapshot.isStrict &&
  isSame(job.samplerProfileVersion, snapshot.samplerProfileVersion) &&
  isSame(job.engineVersion, snapshot.engineVersion) &&
  isSame(job.modelDigest, model.digest)

const isSame = (wanted: string, found: string): boolean => wanted === '' || wanted === found

const hasExtensions = ({ requiredExtensions: wanted }: PlacementJob, pool: PoolView): boolean =>
  wanted.length === 0 ||
  wanted.every((extension) => pool.snapshot.supports.extensions.includes(extension))

const isExcluded = ({ exclusions }: PlacementJob, pool: PoolView): boolean =>
  exclusions.some(
    ({ poolId, instanceId }) => poolId === pool.poolId && instanceId === pool.snapshot.instanceId,
  )
