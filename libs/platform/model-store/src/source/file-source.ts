import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { BerthError } from '@berth/kernel'
import { isInside } from '../disk/store-paths.ts'
import type { StoredModel } from '../model-store.ts'
import type { FileRef } from '../ref/model-ref.ts'
import type { Wanted } from './source.ts'

const MAX_FILES = 20_000
const SHARD = /^(.*)-\d{5}-of-(\d{5})\.gguf$/i

/**
 * Finds a model of the operator's below one of the allowed roots. Links are followed, and what
 * they lead to has to be below a root as well. Rejects with `FORBIDDEN`, `MODEL_NOT_FOUND`,
 * `INVALID_PARAMS` (a folder where a file is wanted, a pipe, a device).
 */
export const locateFile = async (
  roots: readonly string[],
  ref: string,
  { path }: FileRef,
  { want }: Pick<Wanted, 'want'>,
): Promise<StoredModel> => {
  const found = await firstExisting(isAbsolute(path) ? [path] : roots.map((r) => join(r, path)))
  const realRoots = (await Promise.all(roots.map((root) => realpath(root).catch(() => '')))).filter(
    (root) => root !== '',
  )
  // Before it is said whether it exists: no one may feel the way around outside the roots.
  if (realRoots.length === 0) throw forbidden(path, 'no folder of models is set')
  if (isAbsolute(path) && !roots.some((r) => isInside(r, path)) && !isBelow(realRoots, path))
    throw forbidden(path, `it is not below ${roots.join(' or ')}`)
  if (found === undefined)
    throw new BerthError(
      'MODEL_NOT_FOUND',
      `There is no ${shown(path)} below ${roots.join(' or ')}. Put the file there, or correct the path.`,
    )
  await refuseOutside(realRoots, found)
  const stats = await stat(found)
  // Whoever opens a pipe waits for its writer.
  if (!stats.isFile() && !stats.isDirectory())
    throw new BerthError(
      'INVALID_PARAMS',
      `${shown(path)} is neither a file nor a folder. Name the file of a model.`,
    )
  if (stats.isDirectory() && want === 'gguf')
    throw new BerthError(
      'INVALID_PARAMS',
      `${shown(path)} is a folder, and the engine reads one GGUF file. Name the file in it.`,
    )
  const sizeBytes = stats.isDirectory()
    ? await measureFolder(realRoots, found)
    : await measureShards(realRoots, found, stats.size)
  return {
    ...{ ref, path: found, kind: stats.isDirectory() ? 'snapshot' : 'file', sizeBytes },
    ...{ isComplete: true, bytesDone: sizeBytes, isPinned: true, isOurs: false },
    lastUsedAtMs: Math.floor(Math.max(stats.atimeMs, stats.mtimeMs)),
  }
}

const firstExisting = async (paths: readonly string[]): Promise<string | undefined> => {
  for (const path of paths) if (await stat(path).catch(() => undefined)) return path
  return undefined
}

const isBelow = (roots: readonly string[], path: string): boolean =>
  roots.some((root) => isInside(root, path))

const refuseOutside = async (realRoots: readonly string[], path: string): Promise<void> => {
  const real = await realpath(path)
  if (!isBelow(realRoots, real)) throw forbidden(path, 'a link leads out of the folder of models')
}

const measureFolder = async (realRoots: readonly string[], folder: string): Promise<number> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  if (entries.length > MAX_FILES)
    throw new BerthError(
      'INVALID_PARAMS',
      `${shown(folder)} holds more than ${MAX_FILES} files and is no model. Name the folder of one.`,
    )
  let bytes = 0
  for (const entry of entries) {
    if (entry.isDirectory()) continue
    const path = join(entry.parentPath, entry.name)
    await refuseOutside(realRoots, path).catch((error: unknown) => {
      throw error instanceof BerthError ? error : broken(path)
    })
    bytes += (await stat(path)).size
  }
  return bytes
}

/** A GGUF in parts is all of them. */
const measureShards = async (
  realRoots: readonly string[],
  path: string,
  sizeBytes: number,
): Promise<number> => {
  const [, stem, count] = SHARD.exec(basename(path)) ?? []
  if (stem === undefined) return sizeBytes
  let bytes = 0
  for (let shard = 1; shard <= Number(count); shard++) {
    const name = `${stem}-${String(shard).padStart(5, '0')}-of-${count}.gguf`
    const part = join(dirname(path), name)
    const stats = await stat(part).catch(() => undefined)
    if (!stats) throw broken(part)
    await refuseOutside(realRoots, part)
    bytes += stats.size
  }
  return bytes
}

const shown = (path: string) => JSON.stringify(path.slice(0, 200))

const broken = (path: string) =>
  new BerthError('MODEL_NOT_FOUND', `${shown(path)}, a part of the model, is not there. Add it.`)

const forbidden = (path: string, why: string) =>
  new BerthError(
    'FORBIDDEN',
    `${shown(path)} may not be used: ${why}. Put it below the folder of models that the settings name.`,
  )
