import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import type { Cancel, Clock } from '@berth/kernel'
import type { Failure } from './jest-report.ts'
import { formatDuration } from './status-line.ts'
import { readProgress, type SuiteFiles } from './suite-files.ts'
import type { Suite } from './suites.ts'

/** Decides when a suite has had enough time. */
export interface SuiteWatch extends Disposable {
  /** Aborts when the suite is to be ended. */
  readonly signal: AbortSignal
  /** Why it was ended, as a failure. */
  failure(root: string): Failure | undefined
}

const LOOK_EVERY_MS = 500

/** Watches one run: its time limit, and whether jest ends once its report is written. */
export const watchSuite = (clock: Clock, suite: Suite, files: SuiteFiles): SuiteWatch => {
  const controller = new AbortController()
  let why: 'too long' | 'kept open' | undefined
  let reportedAt: number | undefined
  const began = clock.now()
  const end = (reason: 'too long' | 'kept open') => {
    why = reason
    controller.abort()
  }
  const look = () => {
    const now = clock.now()
    if (reportedAt === undefined && existsSync(files.report)) reportedAt = now
    if (reportedAt !== undefined && now - reportedAt > suite.lingerMs) return end('kept open')
    if (now - began > suite.timeLimitMs) return end('too long')
    cancel = clock.after(LOOK_EVERY_MS, look)
  }
  let cancel: Cancel = clock.after(LOOK_EVERY_MS, look)
  return {
    signal: controller.signal,
    failure: (root) => {
      const { running, open } = readProgress(files)
      const paths = running.map((path) => relative(root, path))
      if (why === 'too long')
        return {
          name: `${suite.name} took longer than ${formatDuration(suite.timeLimitMs)} and was ended`,
          lines: paths.map((path) => `while it ran ${path}`),
        }
      if (why === 'kept open')
        return {
          name: `${suite.name} passed its last test and did not end; it was ended`,
          lines: open.length === 0 ? ['Nothing says what it left open.'] : open.map(leftOpen),
        }
      return undefined
    },
    [Symbol.dispose]: () => cancel(),
  }
}

const leftOpen = (what: string) => `left open: ${what}`
