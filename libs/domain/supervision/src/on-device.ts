import type { CrashReport } from './driver.ts'
import type { Effect } from './effect.ts'
import { move, startAgain, unchanged, type Step } from './move.ts'
import { errorOf, startByHand } from './next-command.ts'
import { watchTimer } from './on-observed.ts'
import type { PoolState } from './pool-state.ts'
import { enterReady } from './ready.ts'
import { stabilityTimers } from './stability.ts'
import type { StepContext, Supervised } from './supervised.ts'

/**
 * A device cannot be used any more. The pool takes nothing new; its engine is left alone, as one
 * that runs often outlives the fault (a driver that was upgraded under it), and one that does not
 * ends by itself or stalls. It is not started again before the device is well.
 */
export const deviceFault = (
  pool: Supervised,
  { message }: { readonly message: string },
  context: StepContext,
): Step => {
  const { now, policy } = context
  if (pool.deviceFault === message) return unchanged(pool)
  const faulty: Supervised = { ...pool, deviceFault: message, lastError: message }
  const { state } = pool
  if (state.kind !== 'ready') return unchanged(faulty)
  const effects: readonly Effect[] = [
    { kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs },
    ...watchTimer(policy),
    ...stabilityTimers(state.readyAt, context),
  ]
  const held = { ...state, kind: 'draining', goal: 'hold', onDeadline: 'force' } as const
  return move(faulty, held, message, { now, effects })
}

/** The devices are well: what was held takes requests, what waited for them starts. */
export const deviceOk = (pool: Supervised, context: StepContext): Step => {
  const { deviceFault: fault, ...rest } = pool
  if (fault === undefined) return unchanged(pool)
  const { state } = pool
  const well = { ...rest, lastError: troubleOf(state, context.poolId) }
  if (state.kind === 'draining' && state.goal === 'hold' && !pool.isCordoned)
    return enterReady(well, state, { reason: 'the device is well again' }, context)
  if (state.kind === 'failed' && state.reason === 'gpu_required' && pool.isWanted)
    return startAgain(well, afterFault(state.message), context)
  return unchanged(well)
}

/** What a fault has hidden: the trouble that the state itself tells of. */
const troubleOf = (state: PoolState, poolId: string): string => {
  if (state.kind === 'failed' && state.reason !== 'gpu_required')
    return startByHand(state.message, poolId)
  return 'report' in state ? errorOf(state.report, poolId) : ''
}

/** A fault of a device is what `last_error` tells for as long as it lasts. */
export const withFault = ({ pool, effects }: Step): Step => {
  const { deviceFault: fault, lastError } = pool
  return fault === undefined || lastError === fault
    ? { pool, effects }
    : { pool: { ...pool, lastError: fault }, effects }
}

const afterFault = (message: string): CrashReport => ({
  kind: 'device_error',
  message: `The device is well again. Before: ${message}`,
  isRetriable: true,
})
