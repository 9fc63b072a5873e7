import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EngineUser } from './privileges.ts'

/** Bits of one class in a file's mode. */
const READ = 4
const ENTER = 1

/**
 * The first folder or file on the way to a path that keeps a user out, `undefined` when it may be
 * read. Goes by owner, group and mode; access lists are not looked at. What is not there keeps
 * nobody out.
 */
export const firstClosed = async (path: string, user: EngineUser): Promise<string | undefined> => {
  const real = await realpath(path).catch(() => undefined)
  if (real === undefined) return undefined
  for (const folder of new Set([...foldersOf(path), ...foldersOf(real)]))
    if (!(await allows(folder, user, ENTER))) return folder
  return (await allows(real, user, READ)) ? undefined : path
}

const foldersOf = (path: string): readonly string[] => {
  const folder = dirname(path)
  return folder === path ? [] : [...foldersOf(folder), folder]
}

const allows = async (path: string, { uid, gid }: EngineUser, bit: number): Promise<boolean> => {
  const of = await stat(path).catch(() => undefined)
  if (!of) return true
  const shift = of.uid === uid ? 6 : of.gid === gid ? 3 : 0
  return ((of.mode >> shift) & bit) === bit
}
