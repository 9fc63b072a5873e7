import type { CrashReport } from './driver.ts'
import { advance, type LoadSign } from './load-step.ts'
import { crash, unchanged, type Step } from './move.ts'
import type { StepContext, Supervised } from './supervised.ts'

/** A start came further, or was seen to be under way. */
export const loadSign = (pool: Supervised, sign: LoadSign, { now }: StepContext): Step => {
  const { state } = pool
  if (state.kind !== 'preparing' && state.kind !== 'starting') return unchanged(pool)
  const load = advance(state.load, sign, now)
  if (state.kind === 'preparing')
    return load === state.load ? unchanged(pool) : unchanged({ ...pool, state: { ...state, load } })
  const loading = { ...state, load, hasSignOfLife: true, progressAt: now }
  return unchanged({ ...pool, state: loading })
}

/** The files of the model that a reload leads to came further; the old engine is still up. */
export const stageSign = (
  pool: Supervised,
  sign: LoadSign & { readonly model: string },
  { now }: StepContext,
): Step => {
  const { reload } = pool
  if (reload?.phase !== 'stage' || reload.to !== sign.model) return unchanged(pool)
  const load = advance(reload.load, sign, now)
  return load === reload.load
    ? unchanged(pool)
    : unchanged({ ...pool, reload: { ...reload, load } })
}

/** An engine that starts showed that it must not go on, though it runs. */
export const loadFailed = (
  pool: Supervised,
  { instanceId, report }: { readonly instanceId: string; readonly report: CrashReport },
  { now, policy, poolId }: StepContext,
): Step =>
  pool.state.kind === 'starting' && policy.hasProcess
    ? crash(pool, instanceId, report, {
        ...{ now, poolId, isRunning: true, graceMs: policy.stopGraceMs },
      })
    : unchanged(pool)
