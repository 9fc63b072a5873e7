import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { TestCounts } from './test-counts.ts'

/** What jest writes with `--json`; only what is read here. */
export interface JestReport {
  readonly numPassedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[] | null
    }[]
  }[]
}

/** Something that failed: its name, and the first lines of why. */
export interface Failure {
  readonly name: string
  readonly lines: readonly string[]
}

/** The report at `path`; `undefined` while jest has not written it. */
export const readJestReport = (path: string): JestReport | undefined =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JestReport) : undefined

/** The failed tests, and the files that broke outside of a test. */
export const failuresOf = (report: JestReport, root: string): readonly Failure[] =>
  report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const path = relative(root, name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && status === 'failed')
      return [{ name: path, lines: firstLines(message) }]
    return failed.map(({ fullName, failureMessages }) => ({
      name: `${path} › ${fullName}`,
      lines: firstLines(failureMessages?.[0] ?? ''),
    }))
  })

/** Without a report nothing ran. */
export const countsOf = (
  report: JestReport | undefined,
  failures: readonly Failure[],
): TestCounts => ({
  passed: report?.numPassedTests ?? 0,
  failed: failures.length,
  skipped: report ? report.numPendingTests + report.numTodoTests : 0,
})

const MAX_LINES = 10
const MAX_COLUMNS = 200

/** What an error says, without colours, empty lines and the frames of its stack but the first. */
export const firstLines = (text: string): readonly string[] => {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.trimEnd().slice(0, MAX_COLUMNS))
    .filter((line) => line !== '')
  const isFrame = (line: string) => /^\s+at /.test(line)
  const [frame] = lines.filter(isFrame)
  const said = lines.filter((line) => !isFrame(line)).slice(0, MAX_LINES)
  return frame === undefined ? said : [...said, frame]
}
