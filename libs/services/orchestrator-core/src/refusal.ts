import type { Budget, BudgetOwner } from '@berth/admission'
import type { Reason } from '@berth/kernel'
import type { PlacementReason } from '@berth/placement'
import type { Ask, JobSpec } from './job-spec.ts'

/** What a gateway is told instead of getting a slot. */
export interface Refusal {
  readonly reason: Reason
  readonly message: string
  /** 0: trying again changes nothing, or nothing is known. */
  readonly retryAfterMs: number
  readonly policyLabel: string
  readonly placementReason: string
  /** Left of the budget that refuses, and whose that is. */
  readonly remaining?: Budget
  readonly budgetOwner?: BudgetOwner
  /** When the job would have been over, from now, where that is why it is refused. */
  readonly predictedEndMs?: number
}

/** Why a job that placement calls impossible is refused, in a client's words. */
export const refuseImpossible = (reason: PlacementReason, spec: JobSpec): Refusal => {
  const [code, message] = describe(reason, spec)
  // An engine that gave up may be started again by its operator.
  const retryAfterMs = code === 'POOL_UNAVAILABLE' ? 5_000 : 0
  return { reason: code, message, retryAfterMs, policyLabel: '', placementReason: reason }
}

/**
 * Why a queue refuses a newcomer. `retryAfterMs` is when it would have started behind those who
 * wait; the label is of the policy that decided.
 */
export const refuseFull = (spec: JobSpec, policyLabel: string, retryAfterMs: number): Refusal => ({
  reason: 'ADMISSION_REJECT',
  message:
    policyLabel === 'tenant-share'
      ? `The ${spec.jobClass} queue of model ${spec.modelId} is nearly full, and what is left of ` +
        'it is for others. Try again later.'
      : `The ${spec.jobClass} queue of model ${spec.modelId} is full. Try again later.`,
  retryAfterMs,
  policyLabel,
  placementReason: 'NO_CAPACITY',
})

/** Why a job leaves that made room for another. */
export const refuseEvicted = (spec: JobSpec, retryAfterMs: number): Refusal => ({
  reason: 'QUEUE_FULL_DROP_LRU',
  message: `The queue of model ${spec.modelId} is full: this batch job made room for a newer one.`,
  retryAfterMs,
  policyLabel: 'drop-lru',
  placementReason: 'NO_CAPACITY',
})

/** Why a job id is refused that waits already, for another gateway. */
export const refuseDuplicate = ({ jobId }: Ask): Refusal => ({
  reason: 'DUPLICATE_TASK',
  message: `A job with the id ${jobId} waits already.`,
  retryAfterMs: 0,
  policyLabel: '',
  placementReason: '',
})

/** Why a gateway gets no further place: too many of its jobs wait. */
export const refuseOutstanding = (gatewayJobs: number, retryAfterMs: number): Refusal => ({
  reason: 'ADMISSION_REJECT',
  message: `${gatewayJobs} jobs of this gateway wait already. Try again later.`,
  retryAfterMs,
  policyLabel: 'gateway-outstanding',
  placementReason: 'NO_CAPACITY',
})

/** Why a job is refused at once that cannot be over in time. Both count from its arrival. */
export const refuseLate = (spec: JobSpec, endMs: number, predictedEndMs: number): Refusal => ({
  reason: 'DEADLINE_UNMET',
  message:
    `The answer is expected to be complete ${Math.round(endMs)} ms after the request came, ` +
    `its deadline is ${spec.deadlineMs} ms.`,
  retryAfterMs: 0,
  policyLabel: 'deadline',
  placementReason: '',
  predictedEndMs,
})

/** Why a job leaves whose time to wait is over. `retryAfterMs` as of a full queue. */
export const refuseExpired = (spec: JobSpec, waitedMs: number, retryAfterMs: number): Refusal => ({
  reason: 'QUEUE_TIMEOUT',
  message: `No slot for model ${spec.modelId} came free within ${waitedMs} ms.`,
  retryAfterMs,
  policyLabel: 'max-wait',
  placementReason: '',
})

const describe = (reason: PlacementReason, spec: JobSpec): readonly [Reason, string] => {
  const { modelId: model } = spec
  switch (reason) {
    case 'MODEL_NOT_FOUND':
      return ['MODEL_NOT_FOUND', `No pool of this fleet knows the model ${model}.`]
    case 'UNSUPPORTED_ROUTE':
      return ['UNSUPPORTED_ROUTE', `No engine with the model ${model} supports ${spec.route}.`]
    case 'INSUFFICIENT_CTX':
      return [
        'CONTEXT_TOO_LONG',
        `The request needs ${spec.requiredCtx} tokens of context; no pool of ${model} has as many.`,
      ]
    case 'MIN_VRAM_UNMET':
      return ['INSUFFICIENT_VRAM', `No pool of ${model} has ${spec.minVramBytes} bytes of VRAM.`]
    case 'INSUFFICIENT_VRAM':
      return ['INSUFFICIENT_VRAM', `No pool of ${model} has room for the request's KV cache.`]
    case 'MODEL_INCOMPATIBLE':
      return ['MODEL_LOAD_FAILED', `No engine of this fleet could load the model ${model}.`]
    case 'ENGINE_UNAVAILABLE':
    case 'DEVICE_MASK_UNSATISFIED':
    case 'DETERMINISM_UNSATISFIED':
    case 'QUANTIZATION_UNSUPPORTED':
    case 'COMPUTE_CAPABILITY_TOO_LOW':
    case 'EXTENSIONS_UNSATISFIED':
      return ['INVALID_PARAMS', `No pool of ${model} meets the requirements (${reason}).`]
    case 'POOL_FAILED':
      return ['POOL_UNAVAILABLE', `Every pool of ${model} has failed. Its operator must look.`]
    case 'PINNED_POOL_INFEASIBLE':
      return ['POOL_UNAVAILABLE', `The pinned pool ${spec.pinPoolId ?? ''} cannot serve ${model}.`]
    default:
      return ['POOL_UNAVAILABLE', `No pool of ${model} is left by the placement (${reason}).`]
  }
}
