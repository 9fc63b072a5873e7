/** How a pool does, as seen at the ingress. */
export interface PerformanceHint {
  readonly tokensPerS: number
  readonly firstTokenMs: number
  readonly samples: number
}

/** One finished request. Absent is what could not be measured. */
export interface Sample {
  readonly firstTokenMs?: number
  readonly tokensPerS?: number
}

/** Weight of the newest request: the last dozen make most of the average. */
const ALPHA = 0.2

/** Folds a request into the moving averages (exponentially weighted). */
export const foldSample = (hint: PerformanceHint | undefined, sample: Sample): PerformanceHint => ({
  tokensPerS: average(hint?.tokensPerS, sample.tokensPerS),
  firstTokenMs: average(hint?.firstTokenMs, sample.firstTokenMs),
  samples: (hint?.samples ?? 0) + 1,
})

/** 0 stands for not measured yet. */
const average = (before: number | undefined, value: number | undefined): number => {
  if (value === undefined) return before ?? 0
  return before ? before + ALPHA * (value - before) : value
}
