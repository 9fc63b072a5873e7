import { readdir, readlink, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { partPathOf, removePart } from '../download/part-file.ts'
import type { StoreParts } from '../store-parts.ts'
import type { ManifestFile, ModelManifest } from './manifest.ts'
import { isReallyInside } from './store-paths.ts'

/**
 * Removes the files of a model that no other model of the store has, and its manifest. Returns
 * the bytes that became free. Touches nothing outside the root, whatever a manifest says.
 */
export const removeModel = async (
  parts: StoreParts,
  key: string,
  manifest: ModelManifest,
): Promise<number> => {
  const { manifests, paths } = parts
  // First the note: a crash in between leaves files that nobody counts on.
  await manifests.remove(key)
  const others = await manifests.all()
  const kept = new Set(others.flatMap(([, { files }]) => files.flatMap(pathsOf)))
  let freedBytes = 0
  for (const path of manifest.files.flatMap(pathsOf)) {
    if (kept.has(path)) continue
    const full = paths.at(path)
    if (!isReallyInside(paths.root, full)) continue
    const blob = await blobBehind(full)
    freedBytes += await removeFile(full)
    if (blob !== undefined && !kept.has(path)) freedBytes += await removeBlob(parts, blob, kept)
    await removeEmptyFolders(paths.root, dirname(full))
  }
  await removeBareRepositories(parts, manifest)
  return freedBytes
}

/** The link first: a link without content would be worse than content without a link. */
const pathsOf = ({ path, link }: ManifestFile): string[] =>
  link === undefined ? [path] : [link, path]

/** The blob that a link of an adopted snapshot leads to. */
const blobBehind = async (path: string): Promise<string | undefined> => {
  const target = await readlink(path).catch(() => undefined)
  return target === undefined ? undefined : resolve(dirname(path), target)
}

const removeBlob = async (
  { paths }: StoreParts,
  blob: string,
  kept: ReadonlySet<string>,
): Promise<number> => {
  const isBlob = basename(dirname(blob)) === 'blobs' && isReallyInside(paths.root, blob)
  const isKept = [...kept].some((path) => paths.at(path) === blob)
  if (!isBlob || isKept || (await isLinked(blob))) return 0
  return removeFile(blob)
}

/** Another snapshot of the repository has it too. */
const isLinked = async (blob: string): Promise<boolean> => {
  const snapshots = join(dirname(dirname(blob)), 'snapshots')
  const entries = await readdir(snapshots, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!entry.isSymbolicLink()) continue
    if ((await blobBehind(join(entry.parentPath, entry.name))) === blob) return true
  }
  return false
}

const removeFile = async (path: string): Promise<number> => {
  const part = await sizeOnDisk(partPathOf(path))
  const whole = await sizeOnDisk(path)
  await removePart(path)
  await rm(path, { force: true })
  return part + whole
}

const sizeOnDisk = async (path: string): Promise<number> => {
  const link = await readlink(path).catch(() => undefined)
  if (link !== undefined) return 0
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

/** A repository of the Hub without a snapshot keeps nothing but what its branches meant. */
const removeBareRepositories = async (
  { paths }: StoreParts,
  { files }: ModelManifest,
): Promise<void> => {
  const repositories = files.map(({ path }) => /^hub\/models--[^/]+/.exec(path)?.[0])
  for (const repository of new Set(repositories)) {
    if (repository === undefined) continue
    const folder = paths.at(repository)
    const left = await readdir(folder).catch(() => undefined)
    if (left?.every((name) => name === 'refs') !== true || !isReallyInside(paths.root, folder))
      continue
    await rm(folder, { recursive: true, force: true })
  }
}

const removeEmptyFolders = async (root: string, folder: string): Promise<void> => {
  for (let at = folder; at !== root && at.startsWith(root); at = dirname(at)) {
    try {
      await rmdir(at)
    } catch {
      // Not empty: something else lives there.
      return
    }
  }
}
