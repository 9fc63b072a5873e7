import type { JobClass } from './waiting-job.ts'

/** The settings of admission. */
export interface AdmissionPolicy {
  /** Jobs that may wait per model and class. */
  readonly capacity: number
  /** What a full queue does: refuse the newcomer, or drop the oldest batch job for it. */
  readonly fullPolicy: 'reject' | 'drop-lru'
  /** After this long a batch job stands in the interactive line. */
  readonly promoteAfterMs: number
  /** Shares of served tokens between tenants, all above 0. A tenant that is not named has 1. */
  readonly tenantWeights?: Readonly<Record<string, number>>
  /**
   * Shares of served tokens between the classes of a model, both above 0. Absent: batch jobs are
   * served when no interactive job waits.
   */
  readonly priorityWeights?: Readonly<Record<JobClass, number>>
}

/** Source: design, 256 per model and class, promotion after 5 minutes, strict priority. */
export const DEFAULT_ADMISSION_POLICY: AdmissionPolicy = {
  capacity: 256,
  fullPolicy: 'reject',
  promoteAfterMs: 300_000,
  tenantWeights: {},
}

/** What admission looks at: the queue of one model, as a newcomer of one class finds it. */
export interface QueueState {
  readonly jobClass: JobClass
  /** Jobs of the model that wait, by the class they came with. */
  readonly waiting: Readonly<Record<JobClass, number>>
  /** Jobs of the newcomer's tenant among those of its class. */
  readonly tenantWaiting: number
  /** The tenant's part of the capacity beside the tenants that are active, 0 to 1. */
  readonly tenantShare: number
  /** A batch job stands in the batch line and can make room. */
  readonly hasVictim: boolean
  /** The newcomer was admitted before, by a leader that is gone or for a lease that failed. */
  readonly isReadmitted: boolean
  /** When a newcomer would probably start, from now. */
  readonly predictedStartMs: number
}

/** What a queue does with a newcomer. */
export type AdmissionVerdict =
  /** `hasToEvict`: the oldest batch job makes room. */
  | { readonly kind: 'accept'; readonly hasToEvict: boolean }
  | {
      readonly kind: 'reject'
      readonly policyLabel: 'reject' | 'drop-lru' | 'tenant-share'
      /** The estimate, in whole milliseconds. */
      readonly retryAfterMs: number
    }

/** The part of a queue that only tenants below their share may fill while others are active. */
const RESERVED_PART = 1 / 4

/**
 * Decides whether a queue takes a newcomer. Pure. Its last quarter is kept for tenants below their
 * share, so that one that sends much cannot shut others out; alone, a tenant may fill it.
 * A job that was admitted before is not refused for a full queue, up to twice what its class may
 * hold: that is what one leader had admitted, beside what came first to the next.
 */
export const admissionPolicy = (
  state: QueueState,
  capacity: number,
  fullPolicy: AdmissionPolicy['fullPolicy'],
): AdmissionVerdict => {
  const { jobClass, waiting, isReadmitted } = state
  const isDropping = fullPolicy === 'drop-lru'
  // Under drop-lru, what interactive jobs hold beyond their own room is the room of batch jobs.
  const borrowed = isDropping ? Math.max(0, waiting.interactive - capacity) : 0
  const room = jobClass === 'batch' ? Math.max(0, capacity - borrowed) : capacity
  const most = jobClass === 'interactive' && isDropping ? 2 * capacity : capacity
  const isFull = waiting[jobClass] >= (isReadmitted ? 2 * most : room)
  const retryAfterMs = Math.max(1, Math.ceil(state.predictedStartMs))
  const isReserved = waiting[jobClass] >= capacity * (1 - RESERVED_PART)
  const isAbove = state.tenantShare < 1 && state.tenantWaiting >= capacity * state.tenantShare
  if (isReserved && isAbove && !isReadmitted) {
    return { kind: 'reject', policyLabel: 'tenant-share', retryAfterMs }
  }
  if (!isFull) return { kind: 'accept', hasToEvict: false }
  return isDropping && state.hasVictim
    ? { kind: 'accept', hasToEvict: true }
    : { kind: 'reject', policyLabel: fullPolicy, retryAfterMs }
}

/** The weight of a tenant. */
export const tenantWeight = ({ tenantWeights = {} }: AdmissionPolicy, tenant: string): number =>
  Object.hasOwn(tenantWeights, tenant) ? tenantWeights[tenant]! : 1
