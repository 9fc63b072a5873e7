import { create } from '@bufbuild/protobuf'
import {
  ClientFrameSchema,
  type ClientFrame,
  type Hello,
  type Rejected,
  type Release,
} from '@berth/contract'
import { BerthError, isReason, type Facts } from '@berth/kernel'
import type { AcquireRequest } from './session.ts'

/** The first frame of a session. */
export const helloFrame = (hello: Hello): ClientFrame =>
  create(ClientFrameSchema, { frame: { case: 'hello', value: hello } })

/**
 * Asks for a slot; `nowMs` is on the clock of `arrivedAtMs`. Each ask may wait a moment more than
 * the job has waited already: one that is out of time is still placed when a slot is free.
 */
export const acquireFrame = (request: AcquireRequest, nowMs: number): ClientFrame => {
  const { jobId, job, excluded, attempt, arrivedAtMs } = request
  const waitedMs = Math.max(0, Math.round(nowMs - arrivedAtMs))
  const maxWaitMs = Math.max(request.maxWaitMs, waitedMs + 1)
  const value = { jobId, waitedMs, attempt, exclusions: [...excluded], job: { ...job, maxWaitMs } }
  return create(ClientFrameSchema, { frame: { case: 'acquire', value } })
}

/** Ends a wait. */
export const cancelFrame = (jobId: string): ClientFrame =>
  create(ClientFrameSchema, { frame: { case: 'cancel', value: { jobId } } })

/** Ends a lease. */
export const releaseFrame = (release: Release): ClientFrame =>
  create(ClientFrameSchema, { frame: { case: 'release', value: release } })

/** Says that this gateway lives. */
export const heartbeatFrame = (term: bigint): ClientFrame =>
  create(ClientFrameSchema, { frame: { case: 'heartbeat', value: { term } } })

/** Core's refusal as the error the client is told. An unknown reason counts as no pool. */
export const rejectionOf = (rejected: Rejected): BerthError => {
  const facts: Record<string, Facts[string]> = { ...budgetFacts(rejected) }
  if (rejected.policyLabel !== '') facts['policy_label'] = rejected.policyLabel
  if (rejected.placementReason !== '') facts['reason'] = rejected.placementReason
  if (rejected.reason === 'MODEL_LOADING') facts['eta_ms'] = rejected.retryAfterMs
  const options = { facts, retryAfterMs: rejected.retryAfterMs }
  const reason = isReason(rejected.reason) ? rejected.reason : 'POOL_UNAVAILABLE'
  return new BerthError(reason, rejected.message, rejected.retryAfterMs > 0 ? options : { facts })
}

/** Whose budget refused the job, and what is left of it. */
const budgetFacts = ({ budgetOwner, remaining }: Rejected): Record<string, Facts[string]> => {
  if (budgetOwner === '') return {}
  const { tokens, timeMs, costMicros } = remaining ?? {}
  return {
    budget_owner: budgetOwner,
    ...(tokens === undefined ? {} : { remaining_tokens: Number(tokens) }),
    ...(timeMs === undefined ? {} : { remaining_time_ms: Number(timeMs) }),
    ...(costMicros === undefined ? {} : { remaining_cost_micros: Number(costMicros) }),
  }
}
