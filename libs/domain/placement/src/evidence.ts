import {
  BAND,
  chainBlocks,
  forgetPrefix,
  forgetRow,
  heldBlocks,
  rememberPrefix,
  ROW,
  type Bias,
  type BiasOfClass,
  type FleetView,
  type PoolEvidence,
  type PoolView,
  type SpeedClass,
} from '@berth/fleet'
import type { PoolId } from '@berth/kernel'
import {
  learnDecode,
  learnRead,
  NOMINAL_PROMPT_TOKENS,
  promptBand,
  speedsOf,
  speedsToLearn,
} from './performance-cells.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY } from './placement-policy.ts'
import { bandOf, queueAheadMs } from './predict.ts'
import { notePredictionError } from './prediction-errors.ts'
import { addReading, readingShare } from './reading-share.ts'
import { biasFactor, readTable, refreshTables } from './speed-tables.ts'
import { blockTokensOf, modelKey, uncachedFraction } from './warmth.ts'

/** What a grant expected; its lease keeps it until it is over. */
export interface GrantNote {
  readonly poolId: PoolId
  /** The pool's life it was made in; in another one it says nothing. */
  readonly life: number
  readonly job: PlacementJob
  readonly grantedAtMs: number
  /** Blocks of the job's prefix that the pool held before. */
  readonly heldBlocks: number
  readonly uncachedFraction: number
  /** Requests in flight, this one counted. */
  readonly occupancy: number
  /** Reading what was granted before. */
  readonly queueMs: number
  /** Reading this prompt, without what is cached. */
  readonly prefillMs: number
  /** That was learned of such prompts from pools of its kind, not assumed. */
  readonly isLearned: boolean
  /** When it should be over, on the caller's clock. */
  readonly endMs: number
  /** The same as it counts for those who wait for its slot. */
  readonly heldUntilMs: number
  /** The pool's `grantedPrefillMs` with this one. */
  readonly grantedPrefillMs: number
  /** The pool's, with this one. */
  readonly pauses: number
  /** Of the pool's time of late, this one counted. */
  readonly readingShare: number
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

/** A surprise beyond this factor is a hiccup of something else. */
const SURPRISE_MAX = 8
/** A bias is the mean over about so many requests: slow, for luck is not speed. */
const BIAS_WEIGHT_MAX = 256
/** Fewer new tokens than this say more of an engine's steps than of its reading. */
const TELLING_TOKENS = 256
/**
 * A slot is held no longer than so many times as long as slots of the pool are, as far as others
 * are told: what a job may produce is its client's word, and would be everyone's wait.
 */
const HELD_TIMES_MAX = 16
/** Weight of the newest in the mean time a grant lasts. */
const NEWEST = 0.1

/** Notes that a job goes to a pool. Call it when its slot is reserved. */
export const noteGrant = (
  view: FleetView,
  job: PlacementJob,
  pool: PoolView,
  nowMs: number,
): GrantNote => {
  const { evidence } = pool
  const model = modelKey(job.modelId)
  const band = promptBand(job.promptTokens)
  const defaults = view.speedRows.defaults ?? DEFAULT_PLACEMENT_POLICY.defaultSpeeds
  const occupancy = Math.max(1, pool.reserved)
  const at = bandOf({ view, job, model, band, defaults }, pool, occupancy)
  const { values } = view.speedRows
  const held = heldBlocks(view.prefixes, pool.number, job.prefix, model)
  const uncached = uncachedFraction(job, pool, held)
  const prefillMs = uncached * (values[at]! + job.promptTokens * values[at + BAND.readMs]!)
  const queueMs = queueAheadMs(view, pool, nowMs)
  addReading(view, pool, prefillMs, nowMs)
  const share = readingShare(view, pool, nowMs)
  const decodeMs = (job.expectedTokens * values[at + BAND.decodeMs]!) / (1 - share)
  const endMs = nowMs + queueMs + prefillMs + decodeMs
  const heldUntilMs = Math.min(endMs, nowMs + longestHeldMs(evidence))

  if (queueMs === 0) evidence.pauses += 1
  values[backlogOf(pool)] = nowMs + queueMs + prefillMs
  evidence.grantedPrefillMs += prefillMs
  evidence.openGrants += 1
  evidence.openEndsMs += heldUntilMs
  remember(view, pool, job, model)
  return {
    ...{ poolId: pool.poolId, life: pool.life, job, grantedAtMs: nowMs, occupancy },
    ...{ heldBlocks: held, uncachedFraction: uncached, queueMs, prefillMs, endMs },
    heldUntilMs,
    isLearned: isLearned(evidence.speeds, model, band),
    ...{ grantedPrefillMs: evidence.grantedPrefillMs, pauses: evidence.pauses },
    readingShare: share,
  }
}

/** Notes what became of a job that reached its engine. Call it when its slot is released. */
export const noteRelease = (
  view: FleetView,
  note: GrantNote,
  measured: Measured,
  nowMs: number,
): void => {
  const pool = close(view, note)
  if (!pool) return
  const { evidence } = pool
  learn(view, note, measured, nowMs)
  correctBacklog(view, note, measured, nowMs)
  if (!measured.isComplete) return
  const tookMs = Math.max(1, nowMs - note.grantedAtMs)
  notePredictionError(evidence, tookMs, note.endMs - note.grantedAtMs)
  evidence.meanServiceMs +=
    (tookMs - evidence.meanServiceMs) * (evidence.meanServiceMs ? NEWEST : 1)
}

/** Notes that a job never reached its engine, or that nobody will say what became of it. */
export const noteVoid = (view: FleetView, note: GrantNote, nowMs: number): void => {
  const pool = close(view, note)
  if (!pool) return
  const { job, prefillMs, queueMs, grantedAtMs } = note
  const startsAtMs = Math.max(nowMs, grantedAtMs + queueMs)
  const unreadMs = Math.max(0, grantedAtMs + queueMs + prefillMs - startsAtMs)
  view.speedRows.values[backlogOf(pool)]! -= Math.min(unreadMs, prefillMs)
  addReading(view, pool, -Math.min(unreadMs, prefillMs), nowMs)
  const use = { chain: job.prefix, salt: modelKey(job.modelId) }
  forgetPrefix(view.prefixes, pool.number, use, note.heldBlocks)
}

const longestHeldMs = ({ meanServiceMs }: PoolEvidence): number =>
  meanServiceMs > 0 ? HELD_TIMES_MAX * meanServiceMs : Infinity

const backlogOf = ({ number }: PoolView): number => number * ROW.size + ROW.backlogEndMs

/** The pool of a note with the grant taken off it; undefined when it lives another life. */
const close = (view: FleetView, note: GrantNote): PoolView | undefined => {
  const pool = view.pools.get(note.poolId)
  if (pool?.life !== note.life) return undefined
  const { evidence } = pool
  evidence.openGrants -= 1
  evidence.openEndsMs = evidence.openGrants === 0 ? 0 : evidence.openEndsMs - note.heldUntilMs
  return pool
}

/**
 * Engines read prompts in order: once one is read, those granted since are all that is left. When
 * it was read tells how far the clock is off, as long as the engine has had no pause since.
 */
const correctBacklog = (view: FleetView, note: GrantNote, measured: Measured, nowMs: number) => {
  const pool = view.pools.get(note.poolId)!
  const { evidence } = pool
  const { values } = view.speedRows
  const at = backlogOf(pool)
  const sinceMs = evidence.grantedPrefillMs - note.grantedPrefillMs
  values[at] = Math.min(values[at]!, nowMs + sinceMs)
  const isNewest = note.grantedPrefillMs > evidence.knownReadMs
  if (measured.firstTokenMs <= 0 || !isNewest || note.pauses !== evidence.pauses) return
  evidence.knownReadMs = note.grantedPrefillMs
  values[at] = note.grantedAtMs + measured.firstTokenMs + sinceMs
}

/** What a request says of its pool's speed goes into the cells of its kind, and the pool's bias. */
const learn = (view: FleetView, note: GrantNote, measured: Measured, nowMs: number) => {
  const pool = view.pools.get(note.poolId)!
  const { evidence } = pool
  const { job, uncachedFraction: uncached, prefillMs } = note
  const speeds = speedsToLearn(evidence.speeds, modelKey(job.modelId), nowMs)
  // What was granted as unknown was expected to be nominal, and teaches what such a job takes.
  const newTokens = (job.promptTokens || NOMINAL_PROMPT_TOKENS) * uncached
  const isTelling = newTokens > 0 && (uncached >= 0.5 || newTokens >= TELLING_TOKENS)
  if (measured.firstTokenMs > 0 && isTelling) {
    // The wait before it and its own reading are one duration: both were off by the same factor.
    const surprise = bounded(measured.firstTokenMs / Math.max(1, note.queueMs + prefillMs))
    const factor = biasFactor(evidence.readBias, evidence.speeds.read)
    const ms = ((prefillMs / newTokens) * surprise) / factor
    // The more of it was waiting, the less it says of reading.
    const lastedMs = Math.max(1, note.queueMs + prefillMs, measured.firstTokenMs)
    const weight = Math.min(1, prefillMs / lastedMs)
    learnRead(speeds, { promptTokens: job.promptTokens, occupancy: note.occupancy, ms, weight })
    if (note.isLearned) learnBias(evidence.readBias, evidence.speeds.read, { surprise, weight })
  }
  if (measured.tokensOut > 1 && measured.decodeMs > 0) {
    const promptTokens = job.promptTokens || measured.tokensIn
    const share = (note.readingShare + readingShare(view, pool, nowMs)) / 2
    const ms = (measured.decodeMs / (measured.tokensOut - 1)) * (1 - share)
    // Others came and went while it ran.
    const occupancy = (note.occupancy + pool.reserved + 1) / 2
    const weight = Math.min(1, measured.tokensOut / 16)
    const expectedMs = readTable(speeds.decodeTable, promptBand(promptTokens), occupancy)
    const factor = biasFactor(evidence.decodeBias, evidence.speeds.decode)
    learnDecode(speeds, { promptTokens, occupancy, ms: ms / factor, weight })
    const surprise = bounded(ms / (expectedMs * factor))
    const { decodeBias } = evidence
    if (expectedMs > 0) learnBias(decodeBias, evidence.speeds.decode, { surprise, weight })
  }
  evidence.speeds.samples += 1
  evidence.speeds.isStale = true
  forgetRow(view.speedRows, pool.number)
  refreshTables(view, evidence.speeds, nowMs)
}

const isLearned = (kind: SpeedClass, model: number, band: number): boolean => {
  const speeds = speedsOf(kind, model)
  return speeds !== undefined && readTable(speeds.readTable, band, 1) > 0
}

interface Lesson {
  /** Measured over expected. */
  readonly surprise: number
  /** How much it says: 1 for a full sample. */
  readonly weight: number
}

/** Moves a bias by how far a prediction that counted it was off. */
const learnBias = (bias: Bias, ofClass: BiasOfClass, { surprise, weight }: Lesson) => {
  bias.weight = Math.min(BIAS_WEIGHT_MAX, bias.weight + weight)
  const step = (weight * Math.log(surprise)) / bias.weight
  bias.log += step
  ofClass.logSum += step
}

const bounded = (surprise: number): number =>
  Math.min(SURPRISE_MAX, Math.max(1 / SURPRISE_MAX, surprise))

const remember = (view: FleetView, pool: PoolView, job: PlacementJob, model: number) => {
  const blocks = chainBlocks(job.prefix)
  const blockTokens = Math.ceil(blockTokensOf(job))
  const tailTokens = Math.max(0, job.promptTokens - blocks * blockTokens) + job.expectedTokens
  const capacityTokens = capacityOf(pool, job)
  if (blocks === 0 && (capacityTokens === Infinity || !view.prefixes.shelves[pool.number])) return
  const use = { chain: job.prefix, salt: model, blockTokens, tailTokens, capacityTokens }
  rememberPrefix(view.prefixes, pool.number, use)
}

/** Tokens the engine's cache has room for; `Infinity` when it does not say. */
const capacityOf = (pool: PoolView, { modelId }: PlacementJob): number => {
  const { kvTotalBytes } = pool.snapshot
  const slope = pool.onlyKvSlope ?? pool.kvSlopes.get(modelId)
  if (kvTotalBytes === undefined || !slope || slope.tokenBytes === 0) return Infinity
  return kvTotalBytes / slope.tokenBytes
}
