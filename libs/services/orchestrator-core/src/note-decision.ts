import { isFallback, tally, type Decision, type PlacementJob } from '@berth/placement'
import type { Core } from './core-state.ts'
import type { DecisionEntry } from './decision-log.ts'
import type { Ask } from './job-spec.ts'

/** What was decided for whom. */
export interface Decided {
  readonly ask: Ask
  readonly job: PlacementJob
  readonly decision: Decision
  /** The clock that the decision read. */
  readonly atMs: number
}

/**
 * Remembers a decision, before anything acts on it. A job that waits is decided again and again:
 * what was looked at is counted only when the answer is another than the last.
 */
export const noteDecision = (core: Core, decided: Decided): DecisionEntry => {
  const { ask, job, decision } = decided
  const known = core.decisions.ofJob(ask.jobId)
  const reason = decision.kind === 'assigned' ? undefined : decision.reason
  const isSame = known !== undefined && reason !== undefined && known.reason === reason
  const entry: DecisionEntry = {
    jobId: ask.jobId,
    correlationId: ask.spec.correlationId,
    modelId: job.modelId,
    decidedAtMs: core.clock.wall(),
    kind: decision.kind,
    poolId: decision.kind === 'assigned' ? decision.pool.poolId : undefined,
    reason,
    predictedEndMs: decision.kind === 'assigned' ? decision.predictedEndMs : 0,
    isPinned: job.pinPoolId !== undefined,
    isFallback: isFallback(job, decision),
    attempts: (known?.attempts ?? 0) + 1,
    tally: isSame ? known.tally : countFor(core, decided),
  }
  core.decisions.note(entry)
  return entry
}

const countFor = ({ view, policy }: Core, { job, decision, atMs }: Decided) =>
  tally({ view, job, policy: policy.placement, now: atMs }, decision)
