import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Paths } from './paths.ts'
import type { Suite } from './suites.ts'

/** What a run of a suite writes. */
export interface SuiteFiles {
  readonly log: string
  readonly report: string
  /** Which files run, and what keeps jest from ending: see tools/jest-progress.cjs. */
  readonly progress: string
  readonly jestCache: string
  /** The suite's `TMPDIR`. Whatever writes there was started by its tests. */
  readonly scratch: string
}

/** Fresh places for one run of a suite. The scratch folder is the caller's to delete. */
export const createSuiteFiles = (paths: Paths, { name }: Suite): SuiteFiles => {
  const folder = join(paths.root, '.berth/test')
  mkdirSync(folder, { recursive: true })
  const fresh = (suffix: string) => {
    const path = join(folder, `${name}.${suffix}`)
    rmSync(path, { force: true })
    return path
  }
  const scratch = mkdtempSync(join(tmpdir(), `berth-${name}-`))
  // Engines run as a user of their own, and have their files in there.
  chmodSync(scratch, 0o755)
  return {
    log: fresh('log'),
    report: fresh('json'),
    progress: fresh('progress.json'),
    jestCache: join(folder, 'jest-cache'),
    scratch,
  }
}

export interface Progress {
  /** Paths of the files that run. */
  readonly running: readonly string[]
  /** What is open some seconds after the last test. */
  readonly open: readonly string[]
}

export const readProgress = ({ progress }: SuiteFiles): Progress =>
  existsSync(progress)
    ? (JSON.parse(readFileSync(progress, 'utf8')) as Progress)
    : { running: [], open: [] }
