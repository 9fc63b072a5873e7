import { BerthError } from '@berth/kernel'
import type { LoadPhase } from './driver.ts'

/** How far a model has come on its way into an engine. Made once, and never changed. */
export interface LoadProgress {
  readonly modelId: string
  readonly phase: LoadPhase | 'ready' | 'failed'
  /** 0 to 100, over all phases. */
  readonly percent: number
  readonly bytesDone?: number
  readonly bytesTotal?: number
  /** Bytes so far and in total are both known and fit together. */
  readonly isKnown: boolean
  /** Unix milliseconds. */
  readonly startedAtMs: number
  /** Unix milliseconds; only of the last progress of a load. */
  readonly completedAtMs?: number
  /** Until it is ready; absent when nobody can tell. */
  readonly etaMs?: number
  /** Why it failed: the class of the failure, and what it means. */
  readonly failure?: { readonly reason: string; readonly message: string }
}

/** A load that goes on. Throws `INVALID_PARAMS` for what cannot be. */
export const loadGoesOn = (
  facts: Omit<LoadProgress, 'isKnown' | 'completedAtMs' | 'failure' | 'phase'> & {
    readonly phase: LoadPhase
  },
): LoadProgress => make(facts)

/** The last progress of a load that came to its end. Throws `INVALID_PARAMS`. */
export const loadIsReady = (so: LoadProgress, completedAtMs: number): LoadProgress => {
  const { etaMs: _, failure: __, ...rest } = so
  return make({ ...rest, phase: 'ready', percent: 100, completedAtMs })
}

/** The last progress of a load that did not. Throws `INVALID_PARAMS`. */
export const loadHasFailed = (
  so: LoadProgress,
  completedAtMs: number,
  failure: { readonly reason: string; readonly message: string },
): LoadProgress => {
  const { etaMs: _, ...rest } = so
  return make({ ...rest, phase: 'failed', completedAtMs, failure: Object.freeze({ ...failure }) })
}

/** True for the last progress of a load. */
export const isLoadOver = ({ phase }: LoadProgress): boolean =>
  phase === 'ready' || phase === 'failed'

const make = (facts: Omit<LoadProgress, 'isKnown'>): LoadProgress => {
  const { modelId, percent, bytesDone, bytesTotal, startedAtMs, completedAtMs, etaMs } = facts
  const problems = [
    ...(modelId === '' ? ['a load has a model'] : []),
    ...(percent >= 0 && percent <= 100 ? [] : [`percent is 0 to 100, not ${percent}`]),
    ...[bytesDone, bytesTotal, startedAtMs, etaMs]
      .filter((figure) => figure !== undefined && !(Number.isFinite(figure) && figure >= 0))
      .map((figure) => `bytes and times are 0 or more, not ${figure}`),
    ...(completedAtMs === undefined || completedAtMs >= startedAtMs
      ? []
      : ['a load ends after it began']),
  ]
  if (problems.length > 0)
    throw new BerthError('INVALID_PARAMS', `No load is like this: ${problems.join('; ')}.`)
  const isKnown = bytesDone !== undefined && bytesTotal !== undefined && bytesDone <= bytesTotal
  return Object.freeze({ ...facts, isKnown })
}
