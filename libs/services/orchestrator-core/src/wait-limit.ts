import type { Core } from './core-state.ts'
import type { Ask, JobSpec } from './job-spec.ts'

/** Milliseconds from arrival after which a job no longer waits. */
export const waitLimitMs = (core: Core, spec: JobSpec): number => {
  const limitMs = spec.maxWaitMs || core.policy.maxWaitMs[spec.jobClass]
  return spec.deadlineMs > 0 ? Math.min(limitMs, spec.deadlineMs) : limitMs
}

/**
 * How long a job may yet decline free slots, in milliseconds: within the policy's bound from the
 * first it declined, and no more than half of what is left of its wait.
 */
export const declineMs = (core: Core, ask: Ask): number => {
  const now = core.clock.now()
  const waiting = core.queue.jobs.get(ask.jobId)
  const { fasterWaitMs } = core.policy.placement
  if (!waiting) return Math.min(fasterWaitMs, (waitLimitMs(core, ask.spec) - ask.waitedMs) / 2)
  const declinedMs = now - (waiting.payload.declinesSinceMs ?? now)
  return Math.min(fasterWaitMs - declinedMs, (waiting.expiresAtMs - now) / 2)
}
