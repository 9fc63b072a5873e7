import { inOrder, leave, type WaitingJob } from '@berth/admission'
import type { PoolView } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import type { Core, Waiting } from './core-state.ts'
import { decide } from './decide.ts'
import { grant } from './grant.ts'
import { endWait, noLongerWaiting } from './job-end.ts'
import type { Ask } from './job-spec.ts'
import { refuseImpossible } from './refusal.ts'

/**
 * Decisions one pass may spend on jobs behind a head that cannot go. They are those with demands
 * of their own; plain ones share the head's answer.
 */
const LOOK_AHEAD = 32

/** Gives free slots to the jobs that wait for a model, in the order of the queue. */
export const dispatchModel = (core: Core, modelId: ModelId): void => {
  if (core.role.kind !== 'leader' || !core.queue.models.has(modelId)) return
  const blockedRoutes = new Set<string>()
  let looks = LOOK_AHEAD
  let ahead = 0
  for (const job of inOrder(core.queue, modelId)) {
    const { ask } = job.payload
    const isPlain = hasNoDemands(ask)
    if (isPlain && blockedRoutes.has(ask.spec.route)) continue
    const kind = tryJob(core, job, ahead)
    if (kind !== 'wait') continue
    ahead += 1
    if (isPlain) blockedRoutes.add(ask.spec.route)
    if ((looks -= 1) === 0) return
  }
}

/** Gives the slots of a pool to whoever waits for one of its models, the oldest first. */
export const dispatchPool = (core: Core, pool: PoolView): void => {
  const waiting = [...pool.residencies.keys()].filter((modelId) => core.queue.models.has(modelId))
  waiting.sort((a, b) => oldestMs(core, a) - oldestMs(core, b))
  for (const modelId of waiting) dispatchModel(core, modelId)
}

/** Looks at every model somebody waits for: for changes that no event announces. */
export const dispatchAll = (core: Core): void => {
  for (const modelId of [...core.queue.models.keys()]) dispatchModel(core, modelId)
}

/** While a new leader still collects snapshots, "unknown" only means "not heard of yet". */
export const isSettling = (core: Core): boolean =>
  core.role.kind === 'leader' && core.clock.now() - core.role.sinceMs < core.policy.settleMs

const tryJob = (core: Core, job: WaitingJob<Waiting>, ahead: number): 'wait' | 'left' => {
  const { ask, gatewayId, exclusionsEndMs } = job.payload
  const decision = decide(core, ask, exclusionsEndMs, ahead)
  switch (decision.kind) {
    case 'assigned': {
      leave(core.queue, job.jobId, 'dispatched')
      noLongerWaiting(core, gatewayId)
      const queuedMs = Math.round(core.clock.now() - job.arrivedAtMs)
      const { pool, predictedEndMs } = decision
      grant(core, ask, { gatewayId, pool, predictedEndMs, queuedMs })
      return 'left'
    }
    case 'impossible':
      if (decision.reason === 'MODEL_NOT_FOUND' && !isUnknown(core, job)) return 'wait'
      endWait(core, job, 'evicted', refuseImpossible(decision.reason, ask.spec))
      return 'left'
    case 'wait':
      return 'wait'
  }
}

/**
 * Nobody has the model of a waiting job, and nobody is likely to: a model that was known when the
 * job came is of a host that restarts, and the time of the job decides.
 */
export const isUnknown = (core: Core, job: WaitingJob<Waiting>): boolean =>
  job.payload.isModelInDoubt && !isSettling(core) && !core.view.poolsOfModel.has(job.modelId)

const oldestMs = (core: Core, modelId: ModelId): number =>
  inOrder(core.queue, modelId).next().value?.orderMs ?? Infinity

/** Jobs without demands of their own that want the same route get the same answer. */
const hasNoDemands = ({ spec, exclusions }: Ask): boolean =>
  exclusions.length === 0 &&
  spec.pinPoolId === undefined &&
  spec.preferPools.length === 0 &&
  spec.avoidPools.length === 0 &&
  spec.requireDeviceMask.length === 0 &&
  spec.requiredCtx === 0 &&
  spec.minVramBytes === 0 &&
  spec.minComputeCap === 0 &&
  spec.quantization === '' &&
  spec.requiredExtensions.length === 0 &&
  spec.engine === ''
