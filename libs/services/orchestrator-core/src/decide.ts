import {
  explain,
  place,
  prospectOf,
  type Decision,
  type Explanation,
  type Prospect,
} from '@berth/placement'
import type { PlacementJob } from '@berth/placement'
import type { Core } from './core-state.ts'
import type { Ask, JobSpec } from './job-spec.ts'
import { noteDecision } from './note-decision.ts'
import { warmPoolOf } from './sessions.ts'
import { declineMs } from './wait-limit.ts'

/** Assumed output of a model nobody has finished a request of, in tokens. */
const DEFAULT_EXPECTED_TOKENS = 256

/** Asks placement where a job goes, and reports how long that took. */
export const decide = (
  core: Core,
  ask: Ask,
  exclusionsEndMs: number,
  queueAhead: number,
): Decision => {
  const { view, policy, clock, effects } = core
  const startedAtMs = clock.now()
  const job = toPlacementJob(core, ask.spec, { queueAhead, exclusionsEndMs, ask })
  const decision = place(view, job, policy.placement, startedAtMs)
  const tookMs = clock.now() - startedAtMs
  effects.report({
    kind: 'decided',
    entry: noteDecision(core, { ask, job, decision, atMs: startedAtMs }),
    tookMs,
  })
  return decision
}

/** Says where a job would go now and why. Changes nothing. */
export const explainJob = (core: Core, spec: JobSpec, queueAhead: number): Explanation =>
  explain(
    core.view,
    toPlacementJob(core, spec, { queueAhead, exclusionsEndMs: 0 }),
    core.policy.placement,
    core.clock.now(),
  )

/** What a job without a slot can expect of the pools it may go to. */
export const prospectFor = (
  core: Core,
  ask: Ask,
  exclusionsEndMs: number,
): Prospect | undefined => {
  const job = toPlacementJob(core, ask.spec, { queueAhead: 0, exclusionsEndMs, ask })
  return prospectOf(core.view, job, core.policy.placement, core.clock.now())
}

/** Learns how much a model tends to produce. The weight of the newest is 0.1. */
export const learnExpectedTokens = (core: Core, modelId: JobSpec['modelId'], tokens: number) => {
  const known = core.expectedTokens.get(modelId)
  core.expectedTokens.set(modelId, known === undefined ? tokens : known * 0.9 + tokens * 0.1)
}

/** Tokens a job will probably produce: as its client says, or as its model does. At least 1. */
export const expectedTokensOf = (core: Core, spec: JobSpec): number =>
  Math.max(
    1,
    spec.expectedTokensHint ||
      spec.maxTokens ||
      core.expectedTokens.get(spec.modelId) ||
      DEFAULT_EXPECTED_TOKENS,
  )

interface Moment {
  readonly queueAhead: number
  readonly exclusionsEndMs: number
  readonly ask?: Ask
}

/** A job as placement sees it now, whatever waits before it. */
export const placementJobOf = (core: Core, ask: Ask): PlacementJob =>
  toPlacementJob(core, ask.spec, { queueAhead: 0, exclusionsEndMs: 0, ask })

const toPlacementJob = (core: Core, spec: JobSpec, moment: Moment): PlacementJob => {
  const warmPoolId = spec.kvHint === 'cold' ? undefined : warmPoolOf(core, spec)
  return {
    ...spec,
    ...(warmPoolId === undefined ? {} : { warmPoolId }),
    expectedTokens: expectedTokensOf(core, spec),
    queueAhead: moment.queueAhead,
    waitedMs: waitedMsOf(core, moment.ask),
    ...(moment.ask ? { declineMs: declineMs(core, moment.ask) } : {}),
    exclusions: moment.ask?.exclusions ?? [],
    exclusionsEndMs: moment.exclusionsEndMs,
  }
}

const waitedMsOf = (core: Core, ask: Ask | undefined): number => {
  if (!ask) return 0
  const waiting = core.queue.jobs.get(ask.jobId)
  return waiting ? core.clock.now() - waiting.arrivedAtMs : ask.waitedMs
}
