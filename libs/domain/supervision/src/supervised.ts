import type { Rng } from '@berth/kernel'
import type { SupervisionPolicy } from './policy.ts'
import type { PoolState, PoolStateKind } from './pool-state.ts'
import type { Reload, ReloadEnd } from './reload.ts'
import { NO_RESTARTS, type RestartHistory } from './restart-policy.ts'

/** A change of state, on the supervisor's monotonic clock. */
export interface PoolTransition {
  readonly at: number
  readonly from: PoolStateKind
  readonly to: PoolStateKind
  readonly reason: string
}

/** How many transitions a pool remembers. */
export const TRANSITIONS_KEPT = 50

/** A pool and everything its supervision remembers. */
export interface Supervised {
  readonly state: PoolState
  /** What the next launch is of, as the shell names models; empty in a pool without one. */
  readonly model: string
  /** Absent while the pool keeps its model. */
  readonly reload?: Reload
  /** The last change of model that ended. */
  readonly lastReload?: ReloadEnd
  /** When it entered the state. */
  readonly since: number
  /** Why, in a sentence. */
  readonly reason: string
  /** Somebody wants it up: an unexpected end leads to a restart. */
  readonly isWanted: boolean
  /** A drain holds: once ready again it takes nothing until an undrain. */
  readonly isCordoned: boolean
  /** Why a device of the pool cannot be used, and what to do; absent while all of them can. */
  readonly deviceFault?: string
  readonly history: RestartHistory
  /** Starts in a row that ended in a timeout. */
  readonly failedLoads: number
  /** Cause, fact and next step of the last trouble; empty after a good start. */
  readonly lastError: string
  /** Newest last. */
  readonly transitions: readonly PoolTransition[]
}

/** What a decision may know of the world. */
export interface StepContext {
  /** For the commands that messages name. */
  readonly poolId: string
  /** Milliseconds on a clock that never jumps. */
  readonly now: number
  readonly rng: Rng
  readonly policy: SupervisionPolicy
}

/** A pool that was never started. */
export const newSupervised = (now: number, model = ''): Supervised => ({
  state: { kind: 'stopped' },
  model,
  since: now,
  reason: '',
  isWanted: false,
  isCordoned: false,
  history: NO_RESTARTS,
  failedLoads: 0,
  lastError: '',
  transitions: [],
})
