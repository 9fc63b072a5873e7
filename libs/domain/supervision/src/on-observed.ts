import type { CrashReport } from './driver.ts'
import type { Effect } from './effect.ts'
import { crash, unchanged, type Step } from './move.ts'
import type { SupervisionPolicy } from './policy.ts'
import type { StepContext, Supervised } from './supervised.ts'

/** Often enough that a hang is seen soon after its limit, and a cost nobody notices. */
const LOOKS_PER_LIMIT = 4
const LOOK_MAX_MS = 5_000
const LOOK_MIN_MS = 100

/**
 * A busy engine that does nothing for the stall limit hangs, though it may answer every probe. It
 * is ended and restarted like one that crashed, and its requests end with a terminal error.
 */
export const observed = (
  pool: Supervised,
  { isBusy, progress }: { readonly isBusy: boolean; readonly progress: string },
  { now, policy, poolId }: StepContext,
): Step => {
  const { state } = pool
  if (state.kind !== 'ready' && state.kind !== 'draining') return unchanged(pool)
  const effects = watchTimer(policy)
  const { stall, ...rest } = state
  if (!isBusy) return { pool: stall ? { ...pool, state: rest } : pool, effects }
  if (stall?.progress !== progress)
    return { pool: { ...pool, state: { ...rest, stall: { progress, since: now } } }, effects }
  const stalledMs = now - stall.since
  if (stalledMs < policy.stallTimeoutMs) return { pool, effects }
  const { instanceId } = state
  const graceMs = policy.stopGraceMs
  return crash(pool, instanceId, hang(stalledMs), { now, poolId, isRunning: true, graceMs })
}

/** When to look next. A server that is not ours could not be restarted: nobody looks. */
export const watchTimer = ({ hasProcess, stallTimeoutMs }: SupervisionPolicy): readonly Effect[] =>
  hasProcess ? [{ kind: 'arm_timer', name: 'watch', ms: lookMs(stallTimeoutMs) }] : []

const lookMs = (stallTimeoutMs: number): number =>
  Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, Math.round(stallTimeoutMs / LOOKS_PER_LIMIT)))

const hang = (stalledMs: number): CrashReport => ({
  kind: 'hang',
  message:
    `It produced nothing for ${Math.round(stalledMs / 100) / 10} s while requests waited for it. ` +
    'Where so long a silence is normal, raise lifecycle.stall_timeout_s.',
  isRetriable: true,
})
