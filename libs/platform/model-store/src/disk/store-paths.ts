import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { BerthError } from '@berth/kernel'

/** Where things stand below the root of a store. */
export interface StorePaths {
  readonly root: string
  readonly hubDir: string
  readonly manifestsDir: string
  readonly claimsDir: string
  /** Absolute, for a path below the root. Throws `INTERNAL` for one that leads out of it. */
  at(path: string): string
  /** The claim of a file that is being fetched. */
  claimOf(path: string): string
}

/** Folder of the Hub's cache, below the root. */
export const HUB_DIR = 'hub'
/** Folder of single files, below the root. */
export const FILES_DIR = 'files'

/** Paths of the store at `root`, which has to be absolute. */
export const createStorePaths = (root: string): StorePaths => ({
  root,
  hubDir: join(root, HUB_DIR),
  manifestsDir: join(root, 'manifests'),
  claimsDir: join(root, 'claims'),
  at: (path) => {
    const full = resolve(root, path)
    if (!isInside(root, full)) throw leadsOut(path)
    return full
  },
  claimOf: (path) => join(root, 'claims', shortHash(path)),
})

/** True when `path` is below `folder`. Both absolute; nothing is resolved. */
export const isInside = (folder: string, path: string): boolean => {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** True when the folder that holds `path` is inside `root` with every link resolved. */
export const isReallyInside = (root: string, path: string): boolean => {
  try {
    return isInside(realpathSync(root), join(realpathSync(dirname(path)), 'x'))
  } catch {
    // A folder that is not there holds nothing.
    return false
  }
}

/** 32 hex digits that stand for a text in a file name. */
export const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 32)

const leadsOut = (path: string) =>
  new BerthError(
    'INTERNAL',
    `A path of the model store leads out of it: ${JSON.stringify(path.slice(0, 200))}. Nothing was done.`,
  )
