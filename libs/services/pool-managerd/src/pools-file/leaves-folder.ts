import { realpathSync } from 'node:fs'
import { relative } from 'node:path'

/** True for a path that is not below the folder, also where a link leads out of it. Both absolute. */
export const leavesFolder = (folder: string, path: string): boolean => {
  if (isOutside(folder, path)) return true
  const [realFolder, realPath] = [realOf(folder), realOf(path)]
  return realFolder !== undefined && realPath !== undefined && isOutside(realFolder, realPath)
}

const isOutside = (folder: string, path: string): boolean =>
  /^\.\.(\/|$)/.test(relative(folder, path))

const realOf = (path: string): string | undefined => {
  try {
    return realpathSync(path)
  } catch {
    // What is not there leads nowhere; that it is missing is said when it is read.
    return undefined
  }
}
