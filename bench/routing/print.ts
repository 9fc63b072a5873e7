import type { Row, Tuned } from './cells.ts'
import { TOLERANCE, type Loss } from './verdict.ts'

const COLUMNS: readonly (readonly [keyof Row, number])[] = [
  ['trace', 22],
  ['replicas', 9],
  ['mix', 10],
  ['load', 5],
  ['policy', 24],
  ['ttft_mean_ms', 13],
  ['ttft_p99_ms', 12],
  ['e2e_p99_ms', 11],
  ['hit_rate', 9],
  ['goodput_ratio', 14],
]

/** Names the columns. */
export const printHead = (): void => {
  write(COLUMNS.map(([name, width]) => name.padStart(width)))
}

/** One cell of the table. */
export const printRow = (row: Row): void => {
  write(COLUMNS.map(([name, width]) => String(row[name]).padStart(width)))
}

/** Which parameters the sweep chose. */
export const printTuned = (tuned: readonly Tuned[]): void => {
  process.stdout.write('\nparameters, chosen on the first part of the trace:\n')
  for (const { mix, policy, parameters } of tuned) {
    write([mix.padEnd(10), policy.padEnd(24), parameters])
  }
  process.stdout.write('\n')
}

/** Where berth is not best or equal. */
export const printVerdict = (verdict: { losses: readonly Loss[]; compared: number }): void => {
  const { losses, compared } = verdict
  const share = `${compared - losses.length} of ${compared}`
  process.stdout.write(
    `berth is best, or equal within ${TOLERANCE * 100} %, in ${share} comparisons\n`,
  )
  for (const { cell, measure, berth, best, policy, worseBy } of losses) {
    write([
      `  ${cell}`.padEnd(48),
      measure.padEnd(14),
      String(berth).padStart(10),
      String(best).padStart(10),
      policy.padEnd(24),
      `${(worseBy * 100).toFixed(1)} %`.padStart(8),
    ])
  }
}

const write = (cells: readonly string[]) => process.stdout.write(`${cells.join(' ')}\n`)
