import {
  chainBlocks,
  CHAIN_BLOCKS_MAX,
  forgetPrefix,
  heldBlocks,
  rememberPrefix,
  type FleetView,
  type PoolView,
} from '@berth/fleet'
import type { PoolId } from '@berth/kernel'
import type { PlacementJob } from './placement-job.ts'
import { blockTokensOf, modelSalt, uncachedFraction } from './warmth.ts'

/** What a grant expected; its lease keeps it until it is over. */
export interface GrantNote {
  readonly poolId: PoolId
  /** The pool's life it was made in; in another one it says nothing. */
  readonly life: number
  readonly job: PlacementJob
  readonly grantedAtMs: number
  /** Blocks of the job's prefix that the pool held before. */
  readonly heldBlocks: number
  readonly uncachedTokens: number
}

/** What was measured of a job that reached its engine. 0 where nothing was. */
export interface Measured {
  readonly tokensIn: number
  readonly tokensOut: number
  /** From the grant to the first token, in milliseconds. */
  readonly firstTokenMs: number
  /** From the first token to the last, in milliseconds. */
  readonly decodeMs: number
  /** The engine said all it had to say. */
  readonly isComplete: boolean
}

/** Notes that a job goes to a pool. Call it after the slot is reserved. */
export const noteGrant = (
  view: FleetView,
  job: PlacementJob,
  pool: PoolView,
  nowMs: number,
): GrantNote => {
  const salt = modelSalt(job.modelId)
  const held = heldBlocks(view.prefixes, pool.number, job.prefix, salt)
  if (job.prefix.length > 0) {
    const blockTokens = Math.ceil(blockTokensOf(job))
    const blocks = Math.min(CHAIN_BLOCKS_MAX, chainBlocks(job.prefix))
    const tailTokens = Math.max(0, job.promptTokens - blocks * blockTokens) + job.expectedTokens
    const use = { chain: job.prefix, salt, blockTokens, tailTokens, capacityTokens: Infinity }
    rememberPrefix(view.prefixes, pool.number, use)
  }
  return {
    poolId: pool.poolId,
    life: pool.life,
    job,
    grantedAtMs: nowMs,
    heldBlocks: held,
    uncachedTokens: Math.round(job.promptTokens * uncachedFraction(job, pool, held)),
  }
}

/** Notes what became of a job that reached its engine. */
export const noteRelease = (
  view: FleetView,
  note: GrantNote,
  _measured: Measured,
  _nowMs: number,
): void => {
  void poolOf(view, note)
}

/** Notes that a job never reached its engine, or that nobody will say what became of it. */
export const noteVoid = (view: FleetView, note: GrantNote, _nowMs: number): void => {
  const pool = poolOf(view, note)
  if (!pool) return
  const { job } = note
  const use = { chain: job.prefix, salt: modelSalt(job.modelId) }
  forgetPrefix(view.prefixes, pool.number, use, note.heldBlocks)
}

/** The pool of a note, while it lives the life the note was made in. */
const poolOf = (view: FleetView, note: GrantNote): PoolView | undefined => {
  const pool = view.pools.get(note.poolId)
  return pool?.life === note.life ? pool : undefined
}
