import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { findNatsServer } from './find-nats-server.ts'
import type { Paths } from './paths.ts'
import { installEmbeddedRuntime } from './prepare-pools.ts'
import type { CommandContext } from './run-command.ts'
import { runInForeground } from './run-in-foreground.ts'
import { formatDuration } from './status-line.ts'
import { SUITE_NAMES, SUITES, type Suite } from './suites.ts'

export interface TestContext extends CommandContext {
  readonly paths: Paths
  readonly options: { readonly only?: readonly string[] }
}

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Suites that start NATS or engines. */
const NEEDS_PROGRAMS = new Set(['unit', 'integration', 'chaos', 'conformance'])

/** Runs the suites one after the other; the last line sums them up. */
export const test = async (context: TestContext): Promise<number> => {
  const { terminal } = context
  const suites = chooseSuites(context.options.only)
  const env = suites.some(({ name }) => NEEDS_PROGRAMS.has(name))
    ? await installPrograms(context)
    : {}
  const clock = systemClock()
  const results: { readonly suite: Suite; readonly counts: Counts; readonly ms: number }[] = []
  for (const suite of suites) {
    terminal.print(`\n== ${suite.title} (${suite.name}) ==`)
    const began = clock.now()
    const counts = await runSuite(context, suite, env)
    results.push({ suite, counts, ms: clock.now() - began })
  }
  terminal.print('')
  for (const { suite, counts, ms } of results) {
    const mark = counts.failed > 0 ? '✗' : '✓'
    terminal.print(`${mark} ${suite.name.padEnd(12)} ${sentence(counts)}  (${formatDuration(ms)})`)
  }
  const total = results.map(({ counts }) => counts).reduce(add)
  terminal.print(sentence(total))
  return total.failed > 0 ? EXIT.failed : EXIT.ok
}

const chooseSuites = (only: readonly string[] | undefined): readonly Suite[] => {
  const unknown = only?.find((name) => !SUITE_NAMES.includes(name))
  if (unknown !== undefined)
    throw new CliError(
      EXIT.usage,
      `There is no suite called ${unknown}.`,
      `Choose from ${SUITE_NAMES.join(', ')}.`,
    )
  return SUITES.filter(({ name }) => only?.includes(name) ?? true)
}

const installPrograms = async (context: TestContext): Promise<Record<string, string>> => {
  const { paths, terminal, signal } = context
  const common = { paths, terminal, signal, clock: systemClock() }
  const nats = await findNatsServer({ ...common, env: process.env })
  await installEmbeddedRuntime(common)
  return {
    PATH: [dirname(nats.path), process.env['PATH'] ?? ''].join(delimiter),
    BERTH_EMBEDDED_RUNTIME_DIR: paths.embeddedRuntimeDir,
  }
}

const runSuite = async (
  { paths, signal }: TestContext,
  suite: Suite,
  programs: Readonly<Record<string, string>>,
): Promise<Counts> => {
  const [program = '', ...args] = suite.argv
  const report = join(paths.root, '.berth/test', `${suite.name}.json`)
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  const reporting = suite.kind === 'jest' ? ['--json', `--outputFile=${report}`] : []
  const exitCode = await runInForeground({
    argv: [join(paths.root, 'node_modules/.bin', program), ...args, ...reporting],
    cwd: paths.root,
    env: { ...process.env, ...programs, ...SUITE_ENV },
    // jest prints its report on stderr, and with --json the JSON on stdout.
    isQuiet: suite.kind === 'jest',
    signal,
  })
  signal.throwIfAborted()
  if (suite.kind === 'jest') return countTests(report, exitCode)
  return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 }
}

const SUITE_ENV = {
  NX_DAEMON: 'false',
  NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
}

interface JestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly numRuntimeErrorTestSuites: number
}

const countTests = (path: string, exitCode: number): Counts => {
  const report = readReport(path)
  // It ended without a report: nothing ran, which is a failure.
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

const readReport = (path: string): JestReport | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestReport
  } catch {
    // Not written: jest did not get that far.
    return undefined
  }
}

const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})

const sentence = ({ passed, failed, skipped }: Counts) =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`
