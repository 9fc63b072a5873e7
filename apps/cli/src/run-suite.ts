import { readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { sleep, type Clock } from '@berth/kernel'
import { countsOf, failuresOf, firstLines, readJestReport, type Failure } from './jest-report.ts'
import type { Paths } from './paths.ts'
import { endProcesses, findWriters } from './processes.ts'
import { runInForeground } from './run-in-foreground.ts'
import { createSuiteFiles, type SuiteFiles } from './suite-files.ts'
import type { Suite } from './suites.ts'
import type { TestCounts } from './test-counts.ts'
import { watchSuite } from './watch-suite.ts'

export interface SuiteRun {
  readonly paths: Paths
  readonly clock: Clock
  readonly suite: Suite
  /** The whole environment of the suite. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Show what jest reports as it comes. Else it goes to the suite's log, as that of a check does. */
  readonly isShown: boolean
  readonly signal: AbortSignal
}

export interface SuiteResult {
  readonly counts: TestCounts
  readonly failures: readonly Failure[]
}

/**
 * Runs a suite to its end, or to its time limit. What it leaves behind is a failure too: handles
 * that keep jest from ending, and processes that write into its scratch folder. All is ended.
 */
export const runSuite = async (run: SuiteRun): Promise<SuiteResult> => {
  const { suite, paths, clock, signal } = run
  const files = createSuiteFiles(paths, suite)
  using watch = watchSuite(clock, suite, files)
  try {
    const exitCode = await runInForeground({
      argv: suite.kind === 'jest' ? [...suite.argv, ...reporting(paths, files)] : suite.argv,
      cwd: paths.root,
      env: { ...run.env, ...suiteEnv(paths, run.env, files) },
      output: run.isShown && suite.kind === 'jest' ? 'stderr' : { path: files.log },
      signal: AbortSignal.any([signal, watch.signal]),
    })
    signal.throwIfAborted()
    const ended = watch.failure(paths.root)
    const left = await leftovers(clock, files.scratch)
    const found = [...(ended ? [ended] : []), ...left]
    return suite.kind === 'jest'
      ? jestResult(run, files, { exitCode, found })
      : checkResult(run, files, { exitCode, found })
  } finally {
    await endProcesses(clock, findWriters(files.scratch), GRACE_MS)
    rmSync(files.scratch, { recursive: true, force: true })
  }
}

interface End {
  readonly exitCode: number
  /** Failures found outside of what the program itself reported. */
  readonly found: readonly Failure[]
}

const jestResult = ({ suite, paths }: SuiteRun, files: SuiteFiles, end: End): SuiteResult => {
  const report = readJestReport(files.report)
  const reported = report ? failuresOf(report, paths.root) : []
  const failures = [...reported, ...end.found]
  // Nothing says why: it ended before its report, or on something that is no test.
  if (end.exitCode !== 0 && failures.length === 0)
    failures.push({ name: `${suite.name}: jest ended with ${end.exitCode}`, lines: [] })
  return { counts: countsOf(report, failures), failures }
}

const checkResult = ({ suite }: SuiteRun, files: SuiteFiles, end: End): SuiteResult => {
  const failures = [...end.found]
  if (end.exitCode !== 0 && failures.length === 0)
    failures.push({ name: suite.title, lines: firstLines(readFileSync(files.log, 'utf8')) })
  const failed = failures.length
  return { counts: { passed: failed === 0 ? 1 : 0, failed, skipped: 0 }, failures }
}

const reporting = (paths: Paths, files: SuiteFiles): string[] => [
  '--json',
  `--outputFile=${files.report}`,
  `--cacheDirectory=${files.jestCache}`,
  '--reporters=default',
  `--reporters=${join(paths.root, 'tools/jest-progress.cjs')}`,
]

const suiteEnv = (paths: Paths, env: SuiteRun['env'], files: SuiteFiles) => ({
  NX_DAEMON: 'false',
  NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  PATH: [join(paths.root, 'node_modules/.bin'), env['PATH'] ?? ''].join(delimiter),
  BERTH_TEST_PROGRESS: files.progress,
  TMPDIR: files.scratch,
})

/** For processes that are already ending, and for those that are told to. */
const GRACE_MS = 3_000

/** Processes that the suite's tests started and did not end. */
const leftovers = async (clock: Clock, scratch: string): Promise<Failure[]> => {
  const giveUpAt = clock.now() + GRACE_MS
  let found = findWriters(scratch)
  while (found.length > 0 && clock.now() < giveUpAt) {
    await sleep(clock, 50)
    found = findWriters(scratch)
  }
  return found.map(({ name, pid }) => ({ name: `left running: ${name} (pid ${pid})`, lines: [] }))
}
