import type { Row } from './cells.ts'

/** Measures by which policies are compared, and which way is better. */
const MEASURES = [
  ['ttft_mean_ms', 'less'],
  ['ttft_p99_ms', 'less'],
  ['e2e_p99_ms', 'less'],
  ['goodput_ratio', 'more'],
] as const
/** Nearer than this is equal: replays of the same load that begin elsewhere differ by as much. */
export const TOLERANCE = 0.02

/** A measure of a cell in which some policy was better than berth. */
export interface Loss {
  readonly cell: string
  readonly measure: string
  readonly berth: number
  readonly best: number
  readonly policy: string
  /** How much worse: 0.05 is 5 %. */
  readonly worseBy: number
}

/** Where berth is neither best nor equal to the best of the other policies, and of how many. */
export const judgeRows = (rows: readonly Row[]): { losses: Loss[]; compared: number } => {
  const cells = Map.groupBy(rows, ({ trace, replicas, mix, load }) =>
    [trace, replicas, mix, load].join(' '),
  )
  const losses = [...cells].flatMap(([cell, own]) => lossesOf(cell, own))
  return { losses, compared: cells.size * MEASURES.length }
}

const lossesOf = (cell: string, rows: readonly Row[]): Loss[] => {
  const berth = rows.find(({ policy }) => policy === 'berth')
  const others = rows.filter((row) => row !== berth)
  if (!berth || others.length === 0) return []
  return MEASURES.flatMap(([measure, better]) => {
    const sign = better === 'less' ? 1 : -1
    const best = others.reduce((a, b) => (sign * (b[measure] - a[measure]) < 0 ? b : a))
    const [worse, least] =
      better === 'less' ? [berth[measure], best[measure]] : [best[measure], berth[measure]]
    const worseBy = least > 0 ? worse / least - 1 : worse > 0 ? Infinity : 0
    if (worseBy <= TOLERANCE) return []
    return {
      cell,
      measure,
      berth: berth[measure],
      best: best[measure],
      policy: best.policy,
      worseBy,
    }
  })
}
