import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { partPathOf } from '../download/part-file.ts'
import { readManifestText, type ManifestFile, type ModelManifest } from './manifest.ts'
import { shortHash, type StorePaths } from './store-paths.ts'
import { writeFileAtomic } from './write-file-atomic.ts'

const MAX_MANIFESTS = 10_000

/** The manifests of a store: one small file for each model. */
export const createManifestFolder = (paths: StorePaths) => {
  const fileOf = (key: string) => join(paths.manifestsDir, `${key}.json`)

  const read = async (key: string): Promise<ModelManifest | undefined> => {
    const text = await readFile(fileOf(key), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : readManifestText(text)
  }

  return {
    read,
    write: (key: string, manifest: ModelManifest): Promise<void> =>
      writeFileAtomic(fileOf(key), `${JSON.stringify(manifest, null, 1)}\n`),
    remove: (key: string): Promise<void> => rm(fileOf(key), { force: true }),
    all: async (): Promise<readonly (readonly [key: string, ModelManifest])[]> => {
      const names = await readdir(paths.manifestsDir).catch((): string[] => [])
      const keys = names.filter((name) => name.endsWith('.json')).slice(0, MAX_MANIFESTS)
      const found: (readonly [string, ModelManifest])[] = []
      for (const name of keys) {
        const key = name.slice(0, -'.json'.length)
        const manifest = await read(key)
        if (manifest) found.push([key, manifest])
      }
      return found
    },
    /** True when every file it names is there, with its size and its link. */
    isWhole: async ({ files }: ModelManifest): Promise<boolean> => {
      for (const file of files) if (!(await isThere(paths, file))) return false
      return files.length > 0
    },
    /** Bytes of its files on the disk, unfinished ones as well. */
    bytesOnDisk: async ({ files }: ModelManifest): Promise<number> => {
      let bytes = 0
      for (const { path } of files) {
        const full = paths.at(path)
        const found = (await sizeOf(full)) ?? (await sizeOf(partPathOf(full))) ?? 0
        bytes += found
      }
      return bytes
    },
  }
}

/** See `createManifestFolder`. */
export type ManifestFolder = ReturnType<typeof createManifestFolder>

/** Names the manifest of a reference that is asked for in one way. */
export const manifestKey = (
  canonical: string,
  how: {
    readonly want: string
    readonly allow?: readonly string[]
    readonly ignore?: readonly string[]
  },
): string => shortHash(JSON.stringify([canonical, how.want, how.allow ?? null, how.ignore ?? null]))

const isThere = async (paths: StorePaths, file: ManifestFile): Promise<boolean> => {
  const size = await sizeOf(paths.at(file.path))
  if (size === undefined || size !== (file.sizeBytes ?? size)) return false
  if (file.link === undefined) return true
  // Where links cannot be made, a copy stands in the snapshot (the Hub's own tools do so).
  return (await sizeOf(paths.at(file.link))) === size
}

const sizeOf = async (path: string): Promise<number | undefined> => {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}
