import { occupancyBand, promptBand } from './performance-bands.ts'

/** The same speeds, of prompts of one length with so many requests in flight. */
export interface PerformanceCell {
  readonly promptBand: number
  readonly occupancyBand: number
  /** Of one stream. */
  readonly tokensPerS: number
  readonly firstTokenMs: number
  readonly samples: number
}

/** How a pool does with its model, as seen at the ingress. 0 where nothing was measured. */
export interface Performance {
  /** Of one stream. */
  readonly tokensPerS: number
  readonly firstTokenMs: number
  /** Of the prompt of a request that is alone. */
  readonly prefillTokensPerS: number
  readonly samples: number
  /** At most one for each pair of bands. */
  readonly cells: readonly PerformanceCell[]
}

/** One finished request. Absent is what could not be measured. */
export interface Sample {
  readonly firstTokenMs?: number
  readonly tokensPerS?: number
  readonly promptTokens?: number
  /** Requests in flight while it ran, itself counted. */
  readonly occupancy?: number
}

/** Weight of the newest request: the last dozen make most of the average. */
const ALPHA = 0.2
/** Of a shorter prompt, the step it is read in takes longer than its tokens. */
const TELLING_PROMPT_TOKENS = 128

const NOTHING: Performance = {
  ...{ tokensPerS: 0, firstTokenMs: 0, prefillTokensPerS: 0, samples: 0 },
  cells: [],
}

/** Folds a request into the moving averages (exponentially weighted). */
export const foldSample = (before: Performance = NOTHING, sample: Sample): Performance => ({
  ...folded(before, sample),
  prefillTokensPerS: average(before.prefillTokensPerS, prefillOf(sample)),
  cells: foldCell(before.cells, sample),
})

type Speeds = Pick<PerformanceCell, 'tokensPerS' | 'firstTokenMs' | 'samples'>

const folded = (before: Speeds | undefined, sample: Sample): Speeds => ({
  tokensPerS: average(before?.tokensPerS, sample.tokensPerS),
  firstTokenMs: average(before?.firstTokenMs, sample.firstTokenMs),
  samples: (before?.samples ?? 0) + 1,
})

const prefillOf = ({ firstTokenMs, promptTokens = 0, occupancy }: Sample): number | undefined =>
  occupancy === 1 && promptTokens >= TELLING_PROMPT_TOKENS && firstTokenMs
    ? (promptTokens * 1_000) / firstTokenMs
    : undefined

const foldCell = (
  cells: readonly PerformanceCell[],
  sample: Sample,
): readonly PerformanceCell[] => {
  const { tokensPerS, firstTokenMs, promptTokens, occupancy } = sample
  if (!tokensPerS || !firstTokenMs || promptTokens === undefined || !occupancy) return cells
  const at = { promptBand: promptBand(promptTokens), occupancyBand: occupancyBand(occupancy) }
  const isSame = (cell: PerformanceCell) =>
    cell.promptBand === at.promptBand && cell.occupancyBand === at.occupancyBand
  const known = cells.find(isSame)
  return [...cells.filter((cell) => cell !== known), { ...at, ...folded(known, sample) }]
}

/** 0 stands for not measured yet. */
const average = (before: number | undefined, value: number | undefined): number => {
  if (value === undefined) return before ?? 0
  return before ? before + ALPHA * (value - before) : value
}
