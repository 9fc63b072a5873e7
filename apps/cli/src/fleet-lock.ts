import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from './paths.ts'
import { isAlive, recordOf } from './processes.ts'
import type { ProcessRecord } from './run-state.ts'

const pathOf = (paths: Paths) => join(paths.runDir, 'up.lock')

/** The `up` that holds this run folder, also while it starts or stops. Stale locks do not count. */
export const readHolder = (paths: Paths): ProcessRecord | undefined => {
  try {
    const holder = JSON.parse(readFileSync(pathOf(paths), 'utf8')) as ProcessRecord
    return isAlive(holder) ? holder : undefined
  } catch {
    // No lock.
    return undefined
  }
}

/** Takes the run folder, or returns who has it. */
export const takeLock = (paths: Paths): ProcessRecord | undefined => {
  mkdirSync(paths.logsDir, { recursive: true })
  const scratch = `${pathOf(paths)}.${process.pid}`
  writeFileSync(scratch, JSON.stringify(recordOf('up', process.pid)))
  try {
    // A link is made whole or not at all, and only one process can make it.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        linkSync(scratch, pathOf(paths))
        return undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(paths)
      if (holder) return holder
      rmSync(pathOf(paths), { force: true })
    }
    throw new Error(`Cannot lock ${paths.runDir}.`)
  } finally {
    rmSync(scratch, { force: true })
  }
}

export const releaseLock = (paths: Paths): void => rmSync(pathOf(paths), { force: true })
