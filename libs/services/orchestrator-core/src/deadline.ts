import type { JobOffer } from '@berth/admission'
import type { PoolView } from '@berth/fleet'
import { onTimeProbability, type Decision } from '@berth/placement'
import type { Core, Waiting } from './core-state.ts'
import { prospectFor } from './decide.ts'
import { refuseLate, type Refusal } from './refusal.ts'

type Candidate = Pick<JobOffer<Waiting>, 'arrivedAtMs' | 'payload'>

/** That a job is over in time; absent without a deadline. */
export interface OnTime {
  readonly onTimeProbability?: number
}

/**
 * Why a job is not taken that would be over too late. Only what was measured refuses anybody: a
 * pool without evidence, one that may still become ready, or an output of unknown length could
 * all be quicker than they look. A job that waits longer than it may leaves by its time.
 */
export const refuseTooLate = (
  core: Core,
  candidate: Candidate,
  decision: Decision,
  startMs: number,
): Refusal | undefined => {
  const { spec } = candidate.payload.ask
  if (spec.deadlineMs === 0 || decision.kind === 'impossible') return undefined
  const leftMs = leftOf(core, candidate)
  if (decision.kind === 'assigned' && decision.predictedEndMs <= leftMs) return undefined
  const isLengthKnown =
    spec.expectedTokensHint + spec.maxTokens > 0 ||
    core.expectedTokens.get(spec.modelId) !== undefined
  const prospect = prospectOfJob(core, candidate)
  if (!isLengthKnown || !prospect?.isMeasured) return undefined
  const endMs = decision.kind === 'assigned' ? decision.predictedEndMs : startMs + prospect.endMs
  if (endMs <= leftMs) return undefined
  return refuseLate(spec, core.clock.now() - candidate.arrivedAtMs + endMs, endMs)
}

/** Of a job that goes to a pool now. */
export const onTimeAt = (
  core: Core,
  candidate: Candidate,
  pool: PoolView,
  predictedEndMs: number,
): OnTime => {
  if (candidate.payload.ask.spec.deadlineMs === 0) return {}
  const leftMs = Math.max(0, leftOf(core, candidate))
  const probability = onTimeProbability(core.view, pool, predictedEndMs, leftMs)
  return probability === undefined ? {} : { onTimeProbability: probability }
}

/** Of a job that waits, by the pool where it would be over first. */
export const onTimeAfter = (core: Core, candidate: Candidate, startMs: number): OnTime => {
  if (candidate.payload.ask.spec.deadlineMs === 0) return {}
  const prospect = prospectOfJob(core, candidate)
  return prospect ? onTimeAt(core, candidate, prospect.pool, startMs + prospect.endMs) : {}
}

const prospectOfJob = (core: Core, { payload }: Candidate) =>
  prospectFor(core, payload.ask, payload.exclusionsEndMs)

/** Milliseconds until the deadline, which counts from the arrival. */
const leftOf = (core: Core, { arrivedAtMs, payload }: Candidate): number =>
  arrivedAtMs + payload.ask.spec.deadlineMs - core.clock.now()
