import { readLeaseToken, type LeaseClaims, type ReplaySet } from '@berth/lease'
import type { Instance } from '../engine/instance.ts'
import type { Pool } from '../pool/pool.ts'
import { routesOf } from '../pool/routes-of.ts'
import type { Authority } from './authority.ts'

/** Why the ingress does not take a request. Travels as `Berth-Refusal`. */
export type Refusal =
  | 'draining'
  | 'not_ready'
  | 'no_slot'
  | 'stale_epoch'
  | 'stale_term'
  | 'bad_token'
  | 'expired'
  | 'replayed'
  | 'wrong_pool'
  | 'wrong_model'
  | 'unsupported_route'

export interface DoorState {
  readonly hostId: string
  readonly epoch: number
  readonly pools: ReadonlyMap<string, Pool>
  readonly authority: Authority
  readonly replays: ReplaySet
  readonly isDraining: boolean
  /** Unix milliseconds. */
  readonly nowMs: number
}

export type LeaseCheck =
  | {
      readonly ok: true
      readonly claims: LeaseClaims
      readonly pool: Pool
      readonly instance: Instance
    }
  | { readonly ok: false; readonly refusal: Refusal; readonly pool?: Pool }

/**
 * Whether a request may go to the engine its lease names. A lease is marked as used only when
 * nothing but a free slot is missing: one refused for another reason was never spent.
 */
export const checkLease = (token: string, path: string, door: DoorState): LeaseCheck => {
  const read = readLeaseToken(door.authority.keys, token)
  if (!read.ok) return { ok: false, refusal: 'bad_token' }
  const { claims } = read
  const pool = claims.hostId === door.hostId ? door.pools.get(claims.poolId) : undefined
  if (!pool) return { ok: false, refusal: 'wrong_pool' }
  const refused = (refusal: Refusal): LeaseCheck => ({ ok: false, refusal, pool })
  const refusal =
    staleness(claims, door) ?? unreadiness(path, pool, door) ?? strangeness(claims, pool)
  if (refusal) return refused(refusal)
  const { instance } = pool
  if (!instance) return refused('not_ready')
  const isFresh = door.replays.use(claims.leaseId, claims.expiresAtMs, door.nowMs)
  return isFresh ? { ok: true, claims, pool, instance } : refused('replayed')
}

const staleness = (claims: LeaseClaims, door: DoorState): Refusal | undefined => {
  if (claims.epoch !== door.epoch) return 'stale_epoch'
  if (claims.term < door.authority.term) return 'stale_term'
  return claims.expiresAtMs <= door.nowMs ? 'expired' : undefined
}

/**
 * The lease was made for the model that a reload has replaced: an engine may not look at names. One
 * that holds several would load what is asked for, whoever wants it in memory.
 */
const strangeness = ({ modelId }: LeaseClaims, { spec, keeper }: Pool): Refusal | undefined => {
  if (keeper) return keeper.refusalOf(modelId)
  const { modelId: own } = spec.engine
  return own === undefined || own === modelId ? undefined : 'wrong_model'
}

const unreadiness = (path: string, pool: Pool, door: DoorState): Refusal | undefined => {
  if (!routesOf(pool).includes(path)) return 'unsupported_route'
  const { kind } = pool.supervised.state
  if (door.isDraining || kind === 'draining') return 'draining'
  return kind === 'ready' ? undefined : 'not_ready'
}
