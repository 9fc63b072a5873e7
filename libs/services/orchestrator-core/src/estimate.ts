import { depthAhead, type WaitingJob } from '@berth/admission'
import type { Decision } from '@berth/placement'
import type { Core, Waiting } from './core-state.ts'
import { decide } from './decide.ts'
import type { Ask } from './job-spec.ts'

/** A job that could go and has others before it goes with the next pass of the dispatcher. */
const NEXT_PASS_MS = 200

/** When a job starts by a decision that was made for it in its place, from now. 0: at once. */
export const startMsBy = (core: Core, decision: Decision, ahead: number): number => {
  switch (decision.kind) {
    case 'wait':
      return decision.predictedStartMs
    case 'assigned':
      return ahead === 0 ? 0 : NEXT_PASS_MS
    case 'impossible':
      // Its model is not heard of yet.
      return core.policy.placement.unreadyMs
  }
}

/** When a job that comes again would start, behind all of its class. From now. */
export const restartMs = (core: Core, ask: Ask): number => {
  const ahead = depthAhead(core.queue, ask.spec.modelId, ask.spec.jobClass)
  return startMsBy(core, decide(core, ask, 0, ahead), ahead)
}

/** The same for many jobs of one moment: one answer for each model and class. */
export const createRestartEstimate = (core: Core): ((job: WaitingJob<Waiting>) => number) => {
  const known = new Map<string, number>()
  return ({ modelId, jobClass, payload }) => {
    const key = `${jobClass} ${modelId}`
    const estimateMs = known.get(key) ?? restartMs(core, payload.ask)
    known.set(key, estimateMs)
    return estimateMs
  }
}
