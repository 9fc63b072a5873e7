import type { CrashReport } from './driver.ts'
import type { LoadStep } from './load-step.ts'
import type { Supervised } from './supervised.ts'

interface Change {
  /** The model the pool is to serve, as its shell names models. */
  readonly to: string
  /** The one it served before. */
  readonly from: string
  /** It was to run before: then what it served comes back when the new model does not. */
  readonly wasWanted: boolean
  /** How far its files have come while it was staged; absent when nothing had to be fetched. */
  readonly load?: LoadStep | undefined
}

/**
 * A change of model under way. `drain`: requests finish on the old engine. `stage`: it stands idle
 * while the new model is brought to this machine. `switch`: the old engine is being ended, and the
 * next launch is of the new model. `start`: the new engine comes up. `roll_back`: it did not, and
 * the old one comes up again.
 */
export type Reload = Change &
  (
    | { readonly phase: 'drain' | 'stage' | 'switch' | 'start' }
    | { readonly phase: 'roll_back'; readonly failure: CrashReport }
  )

/**
 * What became of a change of model. `kept`: the old engine never stopped serving but for the
 * drain. `rolled_back`: it was started again. `lost`: neither serves, and the pool says why.
 */
export type ReloadEnd =
  | { readonly outcome: 'reloaded'; readonly to: string }
  | {
      readonly outcome: 'kept' | 'rolled_back' | 'lost'
      readonly to: string
      readonly cause: CrashReport['kind'] | 'active_requests'
      readonly message: string
    }
  | { readonly outcome: 'cancelled'; readonly to: string; readonly message: string }

/** The change is over. Unless the new model serves, the pool is one of the old model again. */
export const endReload = (pool: Supervised, end: ReloadEnd): Supervised => {
  const { reload, ...rest } = pool
  const model = reload && end.outcome !== 'reloaded' ? reload.from : pool.model
  return { ...rest, model, lastReload: end }
}

/** Something else was asked for meanwhile. */
export const cancelReload = (pool: Supervised, message: string): Supervised =>
  pool.reload ? endReload(pool, { outcome: 'cancelled', to: pool.reload.to, message }) : pool

/** Neither model serves. A pool that was not to run before is not to run now. */
export const loseReload = (
  pool: Supervised,
  cause: CrashReport['kind'],
  message: string,
): Supervised => {
  const { reload } = pool
  if (!reload) return pool
  const first = reload.phase === 'roll_back' ? reload.failure : undefined
  const told = first
    ? `${first.message} The model before it did not come back: ${message}`
    : message
  const end = {
    outcome: 'lost',
    to: reload.to,
    cause: first?.kind ?? cause,
    message: told,
  } as const
  return { ...endReload(pool, end), isWanted: reload.wasWanted }
}

/** An engine came up: the one that was wanted, or the one before it. */
export const settleReload = (pool: Supervised): Supervised => {
  const { reload } = pool
  if (reload?.phase === 'start') return endReload(pool, { outcome: 'reloaded', to: reload.to })
  if (reload?.phase !== 'roll_back') return pool
  const { kind: cause, message } = reload.failure
  return {
    ...endReload(pool, { outcome: 'rolled_back', to: reload.to, cause, message }),
    lastError: `Rolled back: ${message}`,
  }
}
