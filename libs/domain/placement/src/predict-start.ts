import type { PoolView } from '@berth/fleet'
import { predictEndMs } from './predict.ts'
import type { Workload } from './workload.ts'

/** What busy pools have in common: their leases, and how fast those end. */
export interface Start {
  leases: number
  /** Leases that end per millisecond now, and in the long run, in units of `UNIT`. */
  endingNow: number
  endingLater: number
}

/** Whole numbers, so that a sum is the same in any order. */
const UNIT = 2 ** 30
/** A job that should be over is over soon: this share of what one takes. */
const OVERDUE_SHARE = 0.05

/** Of no pool. */
export const newStart = (): Start => ({ leases: 0, endingNow: 0, endingLater: 0 })

/**
 * Counts a pool without a free slot. Its leases end evenly between now and twice their mean
 * remaining time, which is known from what was predicted for each, or half of what one usually
 * takes; after that slots come free as fast as it serves.
 */
export const addBusyPool = (start: Start, work: Workload, pool: PoolView): void => {
  const { evidence, reserved, slotsTotal } = pool
  const serviceMs = Math.max(1, evidence.meanServiceMs || predictEndMs(work, pool))
  const remainingMs =
    evidence.openGrants > 0 ? evidence.openEndsMs / evidence.openGrants - work.now : serviceMs / 2
  const leases = Math.max(1, reserved)
  start.leases += leases
  start.endingNow += units(leases / (2 * Math.max(remainingMs, OVERDUE_SHARE * serviceMs, 0.5)))
  start.endingLater += units(Math.max(1, slotsTotal) / serviceMs)
}

/**
 * When the `nth` slot comes free, in whole milliseconds from now, at least 1. Of `leases` moments
 * spread evenly over a time, the `nth` is expected after `nth / (leases + 1)` of it.
 */
export const readStart = ({ leases, endingNow, endingLater }: Start, nth: number): number => {
  const spreadMs = (leases * UNIT) / endingNow
  const soonMs = (spreadMs * Math.min(nth, leases)) / (leases + 1)
  const laterMs = (Math.max(0, nth - leases) * UNIT) / endingLater
  return Math.max(1, Math.round(soonMs + laterMs))
}

/** When the `nth` slot comes free if they do so as evenly as in the long run; milliseconds from now. */
export const readEvenStart = ({ endingLater }: Start, nth: number): number =>
  (nth * UNIT) / endingLater

const units = (rate: number): number => Math.max(1, Math.round(rate * UNIT))
