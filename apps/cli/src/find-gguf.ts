import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Files looked at; a folder with more is nobody's model folder. */
const LOOKED_AT_MAX = 10_000

/** The GGUF file below `folder` that was changed last, by its absolute path; not those `except`. */
export const findNewestGguf = (folder: string, except: readonly string[]): string | undefined => {
  const files = ggufFiles(folder)
    .filter((path) => !except.some((name) => path.endsWith(`/${name}`)))
    .flatMap((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat?.isFile() ? [{ path, changedMs: stat.mtimeMs }] : []
    })
  return files.toSorted((a, b) => b.changedMs - a.changedMs)[0]?.path
}

const ggufFiles = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .slice(0, LOOKED_AT_MAX)
      .filter((path) => path.endsWith('.gguf') && !isLaterShard(path))
      .map((path) => join(folder, path))
  } catch {
    // Nothing was ever kept here.
    return []
  }
}

/** A model in several files is named by its first. */
const isLaterShard = (path: string): boolean => {
  const number = /-(\d{5})-of-\d{5}\.gguf$/.exec(path)?.[1]
  return number !== undefined && number !== '00001'
}
