import type { Reason } from '@berth/kernel'
import type { PlacementReason } from '@berth/placement'
import type { JobSpec } from './job-spec.ts'

/** What a gateway is told instead of getting a slot. */
export interface Refusal {
  readonly reason: Reason
  readonly message: string
  /** 0: trying again changes nothing, or nothing is known. */
  readonly retryAfterMs: number
  readonly policyLabel: string
  readonly placementReason: string
}

/** Why a job that placement calls impossible is refused, in a client's words. */
export const refuseImpossible = (reason: PlacementReason, spec: JobSpec): Refusal => {
  const [code, message] = describe(reason, spec)
  // An engine that gave up may be started again by its operator.
  const retryAfterMs = code === 'POOL_UNAVAILABLE' ? 5_000 : 0
  return { reason: code, message, retryAfterMs, policyLabel: '', placementReason: reason }
}

/** Why a full queue refuses. `retryAfterMs` is when the last job in it is expected to start. */
export const refuseFull = (spec: JobSpec, retryAfterMs: number): Refusal => ({
  reason: 'ADMISSION_REJECT',
  message: `The ${spec.jobClass} queue of model ${spec.modelId} is full. Try again later.`,
  retryAfterMs,
  policyLabel: 'reject',
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

/** Why a job leaves whose time to wait is over. */
export const refuseExpired = (spec: JobSpec, waitedMs: number): Refusal => ({
  reason: 'QUEUE_TIMEOUT',
  message: `No slot for model ${spec.modelId} came free within ${waitedMs} ms.`,
  retryAfterMs: 1_000,
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
