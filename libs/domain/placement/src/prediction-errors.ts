import type { FleetView, PoolEvidence, PoolView } from '@berth/fleet'

/** What is assumed before anything is measured counts as so many requests. */
const PRIOR_REQUESTS = 4
/** Spread of the assumed error: two of three requests take between 0.6 and 1.7 times as predicted. */
const PRIOR_SCALE = 0.35

/** Notes how long a request took beside how long it was predicted to take, both in milliseconds. */
export const notePredictionError = (
  evidence: PoolEvidence,
  actualMs: number,
  predictedMs: number,
): void => {
  const { errors } = evidence
  errors[evidence.errorsNoted % errors.length] = actualMs / Math.max(1, predictedMs)
  evidence.errorsNoted += 1
}

/**
 * The probability, 0 to 1, that a request is over by `deadlineMs` when a pool is predicted to end
 * it at `predictedEndMs`, both from now: the share of the pool's last 64 requests whose error
 * would have left it on time, smoothed by an assumed error while they are few. Undefined without a
 * deadline.
 */
export const onTimeProbability = (
  _view: FleetView,
  { evidence }: PoolView,
  predictedEndMs: number,
  deadlineMs: number | undefined,
): number | undefined => {
  if (deadlineMs === undefined) return undefined
  if (deadlineMs <= 0) return 0
  const slack = deadlineMs / Math.max(1, predictedEndMs)
  const count = Math.min(evidence.errorsNoted, evidence.errors.length)
  let onTime = 0
  for (let at = 0; at < count; at++) if (evidence.errors[at]! <= slack) onTime += 1
  // Logistic in the logarithm: as likely twice too long as half as long.
  const prior = 1 / (1 + slack ** (-1 / PRIOR_SCALE))
  return (onTime + PRIOR_REQUESTS * prior) / (count + PRIOR_REQUESTS)
}

/** Whether a pool's predictions rest on requests it served, not on defaults alone. */
export const hasEvidence = ({ evidence }: PoolView): boolean => evidence.errorsNoted > 0
