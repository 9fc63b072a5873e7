import type { Effect } from './effect.ts'
import type { StepContext } from './supervised.ts'

/**
 * When an engine that is ready since `readyAt` has closed the breaker, and when it has made its
 * crashes forgotten. A drain in between, or a device at fault, does not begin them anew.
 */
export const stabilityTimers = (
  readyAt: number,
  { now, policy }: Pick<StepContext, 'now' | 'policy'>,
): readonly Effect[] => {
  const { breakerStableMs, stableMs } = policy.restart
  const left = (ms: number) => Math.max(0, readyAt + ms - now)
  return [
    { kind: 'arm_timer', name: 'settle', ms: left(breakerStableMs) },
    { kind: 'arm_timer', name: 'stable', ms: left(stableMs) },
  ]
}
