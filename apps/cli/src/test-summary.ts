import type { SuiteResult } from './run-suite.ts'
import { formatDuration } from './status-line.ts'
import type { Suite } from './suites.ts'
import { formatTable } from './table.ts'
import { addCounts, countsLine } from './test-counts.ts'

export interface SuiteOutcome extends SuiteResult {
  readonly suite: Pick<Suite, 'name'>
  readonly tookMs: number
}

/** What failed, a table of the suites, and the line that counts everything. */
export const summarise = (outcomes: readonly SuiteOutcome[]): readonly string[] => {
  const failures = outcomes.flatMap(({ suite, failures: found }) =>
    found.flatMap(({ name, lines }) => [
      `✗ ${suite.name}: ${name}`,
      ...lines.map((line) => `    ${line}`),
      '',
    ]),
  )
  const totalMs = outcomes.reduce((sum, { tookMs }) => sum + tookMs, 0)
  const total = outcomes.map(({ counts }) => counts).reduce(addCounts)
  const rows = outcomes.map(({ suite, counts, tookMs }) => [
    `${counts.failed > 0 ? '✗' : '✓'} ${suite.name}`,
    ...[counts.passed, counts.failed, counts.skipped].map(String),
    formatDuration(tookMs),
  ])
  return [
    '',
    ...failures,
    ...formatTable(
      ['  SUITE', 'PASSED', 'FAILED', 'SKIPPED', 'TIME'],
      [...rows, ['  all', ...Object.values(total).map(String), formatDuration(totalMs)]],
    ),
    countsLine(total),
  ]
}
