import {
  candidates,
  depthOf,
  isWaitedFor,
  modelsWaitedFor,
  oldestMs,
  serve,
  type JobClass,
  type WaitingJob,
} from '@berth/admission'
import type { PoolView } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import type { Decision } from '@berth/placement'
import type { Core, Waiting } from './core-state.ts'
import { onTimeAt } from './deadline.ts'
import { decide } from './decide.ts'
import { demandKey } from './demand-key.ts'
import { grant } from './grant.ts'
import { endWait, noLongerWaiting } from './job-end.ts'
import { refuseImpossible } from './refusal.ts'

/**
 * Decisions one pass may spend on jobs that cannot go, at the front of the queue and once more
 * behind it. Jobs with equal demands share one answer.
 */
const LOOK_AHEAD = 32

/** How a pass over the jobs of a model is made. */
export interface PassOptions {
  /** Only this line. */
  readonly line?: JobClass
  /** Looks at jobs although no slot is free: some may have become impossible. */
  readonly isSweep?: boolean
}

/**
 * Gives free slots to the jobs that wait for a model, in the order of the queue. A job that cannot
 * go holds up nobody else. Of jobs with different demands no more than `LOOK_AHEAD` are looked at
 * from the front, and as many of the others, those that were not looked at for longest: each has
 * its look after a few passes, whatever stands before it.
 */
export const dispatchModel = (core: Core, modelId: ModelId, options: PassOptions = {}): void => {
  if (core.role.kind !== 'leader' || !isWaitedFor(core.queue, modelId)) return
  core.passes += 1
  const pass: Pass = { blocked: new Map(), looks: LOOK_AHEAD, ahead: 0 }
  const others: WaitingJob<Waiting>[] = []
  for (const job of candidates(core.queue, modelId, options.line)) {
    if (isBlocked(pass, job)) pass.ahead += 1
    else if (pass.looks === 0) others.push(job)
    else if (look(core, pass, job) === 'wait') {
      if (!options.isSweep && !hasFreeSlot(core, modelId)) return
      pass.ahead += 1
    }
  }
  for (const job of longestUnseen(others)) if (!isBlocked(pass, job)) look(core, pass, job)
}

/**
 * Gives the slots of a pool to whoever waits for one of its models: interactive jobs before batch
 * jobs, the model that waits longest first.
 */
export const dispatchPool = (core: Core, pool: PoolView): void => {
  const models = [...pool.residencies.keys()].filter((modelId) => isWaitedFor(core.queue, modelId))
  if (models.length === 1) return dispatchModel(core, models[0]!)
  for (const line of ['interactive', 'batch'] as const) {
    const since = (modelId: ModelId) => oldestMs(core.queue, modelId, line)
    const waiting = models.filter((modelId) => since(modelId) < Infinity)
    waiting.sort((a, b) => since(a) - since(b))
    for (const modelId of waiting) dispatchModel(core, modelId, { line })
  }
}

/** Looks at every model somebody waits for: for changes that no event announces. */
export const dispatchAll = (core: Core): void => {
  for (const modelId of modelsWaitedFor(core.queue)) dispatchModel(core, modelId, { isSweep: true })
}

/** While a new leader still collects snapshots, "unknown" only means "not heard of yet". */
export const isSettling = (core: Core): boolean =>
  core.role.kind === 'leader' && core.clock.now() - core.role.sinceMs < core.policy.settleMs

/**
 * Nobody has the model of a waiting job, and nobody is likely to: a model that was known when the
 * job came is of a host that restarts, and the time of the job decides.
 */
export const isUnknown = (core: Core, job: WaitingJob<Waiting>): boolean =>
  job.payload.isModelInDoubt && !isSettling(core) && !core.view.poolsOfModel.has(job.modelId)

/** What one pass has learned: slots only become fewer while it lasts. */
interface Pass {
  /** By demands, who was told to wait. */
  readonly blocked: Map<string, Blocked>
  looks: number
  /** Jobs that stay before the one that is looked at. */
  ahead: number
}

interface Blocked {
  readonly leastCtx: number
  /** A free slot was declined, as it is with at most so many jobs ahead; else no bound. */
  readonly upToAhead: number
}

const isBlocked = ({ blocked, ahead }: Pass, { payload }: WaitingJob<Waiting>): boolean => {
  if (blocked.size === 0) return false
  const told = blocked.get((payload.demandKey ??= demandKey(payload.ask)))
  if (!told || ahead > told.upToAhead) return false
  return payload.ask.spec.requiredCtx >= told.leastCtx
}

const look = (core: Core, pass: Pass, job: WaitingJob<Waiting>): 'wait' | 'left' => {
  const told = tryJob(core, job, pass.ahead)
  if (told === 'left') return 'left'
  const { payload } = job
  payload.lookedAtPass = core.passes
  // Not blocked before: its context is less, or it has more jobs ahead, than who was told to wait.
  const { requiredCtx: leastCtx } = payload.ask.spec
  const { declinesUpTo: upToAhead = Infinity } = told
  pass.blocked.set((payload.demandKey ??= demandKey(payload.ask)), { leastCtx, upToAhead })
  pass.looks -= 1
  return 'wait'
}

/** Those that were not looked at for longest, in the order of the queue. */
const longestUnseen = (jobs: readonly WaitingJob<Waiting>[]): readonly WaitingJob<Waiting>[] => {
  if (jobs.length <= LOOK_AHEAD) return jobs
  const byLook = [...jobs].sort((a, b) => a.payload.lookedAtPass - b.payload.lookedAtPass)
  const chosen = new Set(byLook.slice(0, LOOK_AHEAD))
  return jobs.filter((job) => chosen.has(job))
}

const hasFreeSlot = (core: Core, modelId: ModelId): boolean =>
  core.view.poolsOfModel
    .get(modelId)
    ?.some(({ isOpen, reserved, slotsTotal }) => isOpen && reserved < slotsTotal) ?? false

/** Why a job stays: nothing more, or that it declines free slots. */
type Told = Pick<Extract<Decision, { kind: 'wait' }>, 'declinesUpTo'>

const tryJob = (core: Core, job: WaitingJob<Waiting>, ahead: number): Told | 'left' => {
  const { ask, gatewayId, exclusionsEndMs } = job.payload
  const decision = decide(core, ask, exclusionsEndMs, ahead)
  switch (decision.kind) {
    case 'assigned': {
      const service = serve(core.queue, job.jobId)
      noLongerWaiting(core, gatewayId)
      const queuedMs = Math.round(core.clock.now() - job.arrivedAtMs)
      const queueDepth = depthOf(core.queue, job.modelId)
      const { pool, predictedEndMs } = decision
      const times = { predictedEndMs, queuedMs, ...onTimeAt(core, job, pool, predictedEndMs) }
      grant(core, ask, { gatewayId, pool, ...times, queueDepth, service })
      return 'left'
    }
    case 'impossible':
      if (decision.reason === 'MODEL_NOT_FOUND' && !isUnknown(core, job)) return {}
      endWait(core, job, 'evicted', refuseImpossible(decision.reason, ask.spec))
      return 'left'
    case 'wait':
      if (decision.declinesUpTo !== undefined) job.payload.declinesSinceMs ??= core.clock.now()
      return decision
  }
}
