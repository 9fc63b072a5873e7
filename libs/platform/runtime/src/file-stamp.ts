import { statSync } from 'node:fs'

/**
 * Differs when a file was written or replaced, also behind a symbolic link; empty when it is not
 * there. Costs one stat and does not read it.
 */
export const fileStamp = (path: string): string => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat ? `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}` : ''
}
