import {
  BAND,
  forgetRow,
  ROW,
  type DefaultSpeeds,
  type FleetView,
  type PoolView,
} from '@berth/fleet'
import { NOMINAL_PROMPT_TOKENS, promptBand, speedsOf, UNKNOWN_PROMPT } from './performance-cells.ts'
import type { PlacementPolicy, Speed } from './placement-policy.ts'
import { stretchOf } from './reading-share.ts'
import { readPublished } from './published-cells.ts'
import { biasFactor, readTable } from './speed-tables.ts'
import { uncachedIn, type Workload } from './workload.ts'

/**
 * When a job granted now is over in a pool, as whole milliseconds from now, so that "equal" means
 * something: `admission_latency + queue_ahead + first_token * uncached_fraction + tokens_out *
 * ms_per_token`, at the occupancy the pool would have with it.
 */
export const predictEndMs = (work: Workload, pool: PoolView): number =>
  Math.round(
    work.policy.admissionLatencyMs +
      queueAheadMs(work.view, pool, work.now) +
      uncachedIn(work, pool) * firstTokenMs(work, pool) +
      work.job.expectedTokens * msPerToken(work, pool),
  )

/**
 * The score of a pool, the less the better: `predictEndMs` with its terms weighted as the policy
 * says, or 0 where speed is not to count. `Infinity` as soon as it cannot be as little as `atMost`:
 * most pools of a decision need no more than their queue and their streams. Allocates nothing.
 */
export const scoreMs = (work: Workload, pool: PoolView, atMost = Infinity): number => {
  const { view, policy, job } = work
  if (!policy.isPerformanceAware) return 0
  const { weights } = policy
  const at = bandOf(work, pool, pool.reserved + 1)
  const { values } = view.speedRows
  const waitMs = policy.admissionLatencyMs + weights.queue * queueAheadMs(view, pool, work.now)
  const decodeMs = weights.decode * job.expectedTokens * values[at + BAND.decodeMs]!
  if (waitMs + decodeMs > atMost + 0.5) return Infinity
  const firstMs = values[at]! + job.promptTokens * values[at + BAND.readMs]!
  const untilFirstMs = waitMs + weights.firstToken * uncachedIn(work, pool) * firstMs
  if (untilFirstMs + decodeMs > atMost + 0.5) return Infinity
  return Math.round(untilFirstMs + decodeMs * stretchOf(view, pool, work.now))
}

/** Milliseconds until the engine has read the prompts granted before. */
export const queueAheadMs = ({ speedRows }: FleetView, pool: PoolView, now: number): number => {
  const endMs = speedRows.values[pool.number * ROW.size + ROW.backlogEndMs]!
  return endMs > now ? endMs - now : 0
}

/** Milliseconds of reading a whole prompt, nothing of it cached and nothing before it. */
export const firstTokenMs = (work: Workload, pool: PoolView): number => {
  const at = bandOf(work, pool, pool.reserved + 1)
  const { values } = work.view.speedRows
  return values[at]! + work.job.promptTokens * values[at + BAND.readMs]!
}

/** Milliseconds between two tokens of a stream, in a pool with one request more. */
export const msPerToken = (work: Workload, pool: PoolView): number =>
  work.view.speedRows.values[bandOf(work, pool, pool.reserved + 1) + BAND.decodeMs]! *
  stretchOf(work.view, pool, work.now)

/** True when a pool has no measurements and its device kind's default speed is used. */
export const isDefaultSpeed = ({ snapshot, evidence }: PoolView): boolean =>
  snapshot.performance === undefined && evidence.speeds.samples === 0

/** A pool's speed as published, or by default: the same for every model and load. */
export const speedOf = (pool: PoolView, policy: PlacementPolicy): Speed =>
  pool.snapshot.performance ?? policy.defaultSpeeds[pool.deviceKind]

/** What a row is asked about. */
export type SpeedQuestion = Pick<Workload, 'view' | 'job' | 'model' | 'band' | 'defaults'>

/**
 * Where in the view's rows the pool's speeds are, about this model at so many requests in flight
 * and with this band filled. What is there follows from the view and the defaults alone: it saves
 * work and changes no answer.
 */
export const bandOf = (asked: SpeedQuestion, pool: PoolView, occupancy: number): number => {
  const { view, model, defaults, band } = asked
  const { speedRows } = view
  const { values } = speedRows
  const row = pool.number * ROW.size
  const at = row + ROW.bands + band * BAND.size
  if (
    values[row + ROW.occupancy] !== occupancy ||
    values[row + ROW.model] !== model ||
    values[row + ROW.version] !== speedRows.version ||
    speedRows.defaults !== defaults
  ) {
    if (speedRows.defaults !== defaults) forgetRows(view, defaults)
    values[row + ROW.occupancy] = occupancy
    values[row + ROW.model] = model
    values[row + ROW.version] = speedRows.version
    values.fill(NaN, row + ROW.bands, row + ROW.size)
  }
  if (Number.isNaN(values[at]!)) fillBand(asked, pool, { at, occupancy })
  return at
}

const forgetRows = ({ pools, speedRows }: FleetView, defaults: DefaultSpeeds) => {
  speedRows.defaults = defaults
  for (const { number } of pools.values()) forgetRow(speedRows, number)
}

interface Place {
  readonly at: number
  readonly occupancy: number
}

const fillBand = (asked: SpeedQuestion, pool: PoolView, { at, occupancy }: Place) => {
  const { view, job, model, defaults, band } = asked
  const { values } = view.speedRows
  const { snapshot, evidence } = pool
  const { performance } = snapshot
  const basis = performance ?? defaults[pool.deviceKind]
  const speeds = speedsOf(evidence.speeds, model)
  const published = readPublished(snapshot, job.modelId, [band, occupancy])
  const learnedDecodeMs = speeds ? readTable(speeds.decodeTable, band, occupancy) : NaN
  const learnedReadMs = speeds ? readTable(speeds.readTable, band, occupancy) : NaN
  const decodeFactor = biasFactor(evidence.decodeBias, evidence.speeds.decode)
  const readFactor = biasFactor(evidence.readBias, evidence.speeds.read)
  const decodeMs = firstKnown(learnedDecodeMs * decodeFactor, published.decodeMs)
  const readMs = firstKnown(learnedReadMs * readFactor, published.readMs)
  // A rate of zero is an agent's bug; it must not win or poison a comparison.
  const basisMs = 1_000 / Math.max(basis.tokensPerS, 0.001)
  values[at + BAND.decodeMs] = firstKnown(decodeMs, basisMs)
  const prefillRate = performance?.prefillTokensPerS ?? 0
  if (band === UNKNOWN_PROMPT) {
    const nominal = promptBand(NOMINAL_PROMPT_TOKENS)
    const ofOthersMs = speeds && !performance ? readTable(speeds.readTable, nominal, 1) : NaN
    const perTokenMs = firstKnown(learnedReadMs, ofOthersMs) * readFactor
    values[at] = firstKnown(perTokenMs * NOMINAL_PROMPT_TOKENS, basis.firstTokenMs)
    values[at + BAND.readMs] = 0
  } else if (readMs > 0 || prefillRate > 0) {
    values[at] = 0
    values[at + BAND.readMs] = firstKnown(readMs, 1_000 / prefillRate)
  } else {
    // What a pool measured is an average over its prompts; a default is meant for one length.
    values[at] = performance ? basis.firstTokenMs : 0
    values[at + BAND.readMs] = performance ? 0 : basis.firstTokenMs / NOMINAL_PROMPT_TOKENS
  }
}

const firstKnown = (a: number, b: number): number => (a > 0 ? a : b)
