import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** System folders that a person's PATH often lacks, and package managers install servers to. */
const EXTRA_DIRS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/**
 * The path of a program: on PATH, then in the usual system folders. `BERTH_PROGRAM_PATH` replaces
 * both. `undefined` when it is in none of them.
 */
export const findProgram = (
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined => {
  const only = env['BERTH_PROGRAM_PATH']
  const onPath = (only ?? env['PATH'] ?? '').split(delimiter).filter(isAbsolute)
  const folders = only === undefined ? [...onPath, ...EXTRA_DIRS] : onPath
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // Not there, or not for us.
    return false
  }
}
