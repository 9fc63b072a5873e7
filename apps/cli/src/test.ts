import { dirname, delimiter } from 'node:path'
import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { findNatsServer } from './find-nats-server.ts'
import type { Paths } from './paths.ts'
import { installEmbeddedRuntime } from './prepare-pools.ts'
import type { CommandContext } from './run-command.ts'
import { runSuite, type SuiteResult } from './run-suite.ts'
import { formatDuration } from './status-line.ts'
import { SUITE_NAMES, SUITES, type Suite } from './suites.ts'
import { formatTable } from './table.ts'
import { addCounts, countsLine } from './test-counts.ts'

export interface TestContext extends CommandContext {
  readonly paths: Paths
  readonly options: { readonly only?: readonly string[]; readonly full: boolean }
}

interface SuiteOutcome extends SuiteResult {
  readonly suite: Suite
  readonly tookMs: number
}

/** Runs the suites one after the other; the last line sums them up. */
export const test = async (context: TestContext): Promise<number> => {
  const { terminal, paths, signal } = context
  const suites = chooseSuites(context.options)
  const clock = systemClock()
  const env = { ...process.env, ...(await installPrograms(context, suites)) }
  const outcomes: SuiteOutcome[] = []
  for (const suite of suites) {
    terminal.print(`\n== ${suite.title} (${suite.name}) ==`)
    const began = clock.now()
    const result = await runSuite({ paths, clock, suite, env, isShown: true, signal })
    outcomes.push({ ...result, suite, tookMs: clock.now() - began })
    terminal.print(countsLine(result.counts))
  }
  for (const line of summarise(outcomes)) terminal.print(line)
  return outcomes.some(({ counts }) => counts.failed > 0) ? EXIT.failed : EXIT.ok
}

const chooseSuites = ({ only, full }: TestContext['options']): readonly Suite[] => {
  const names = only?.flatMap((each) => each.split(',')).filter((name) => name !== '')
  const unknown = names?.find((name) => !SUITE_NAMES.includes(name))
  if (unknown !== undefined)
    throw new CliError(
      EXIT.usage,
      `There is no suite called ${unknown}.`,
      `Choose from ${SUITE_NAMES.join(', ')}.`,
    )
  return SUITES.filter(({ name, isOnlyInFull }) => names?.includes(name) ?? (full || !isOnlyInFull))
}

/** Suites that start NATS or engines. */
const NEEDS_PROGRAMS = new Set(['unit', 'integration', 'chaos', 'conformance'])

const installPrograms = async (
  context: TestContext,
  suites: readonly Suite[],
): Promise<Record<string, string>> => {
  if (!suites.some(({ name }) => NEEDS_PROGRAMS.has(name))) return {}
  const { paths, terminal, signal } = context
  const common = { paths, terminal, signal, clock: systemClock() }
  const nats = await findNatsServer({ ...common, env: process.env })
  await installEmbeddedRuntime(common)
  return {
    PATH: [dirname(nats.path), process.env['PATH'] ?? ''].join(delimiter),
    BERTH_EMBEDDED_RUNTIME_DIR: paths.embeddedRuntimeDir,
  }
}

/** What failed, a table of the suites, and the line that counts everything. */
const summarise = (outcomes: readonly SuiteOutcome[]): readonly string[] => {
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
