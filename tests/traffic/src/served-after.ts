import type { TrafficReport } from './report.ts'

/**
 * Milliseconds from a moment (`performance.now()`) to the first byte of a right answer to a
 * request sent after it. Undefined when there was none.
 */
export const servedAfter = (
  { entries }: Pick<TrafficReport, 'entries'>,
  momentMs: number,
): number | undefined => {
  const served = entries
    .filter(({ verdict, sentAtMs }) => verdict.kind === 'ok' && sentAtMs >= momentMs)
    .map(({ firstByteAtMs }) => firstByteAtMs ?? Infinity)
  return served.length === 0 ? undefined : Math.round(Math.min(...served) - momentMs)
}
