import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { HubRef } from '../ref/model-ref.ts'
import { repositoryDir } from '../source/hub-source.ts'
import { pickFiles, type ListedFile } from '../source/pick-files.ts'
import type { Wanted } from '../source/source.ts'
import type { Asked, StoreParts } from '../store-parts.ts'
import { missingFromSnapshot } from './complete-snapshot.ts'
import type { ManifestFile, ModelManifest } from './manifest.ts'

const MAX_FILES = 20_000

/** A model that is complete on this disk, without asking anybody. */
export const findStored = async (
  parts: StoreParts,
  asked: Asked,
): Promise<ModelManifest | undefined> => {
  const manifest = await parts.manifests.read(asked.key)
  if (manifest?.isComplete && (await parts.manifests.isWhole(manifest))) return manifest
  const { parsed } = asked
  return parsed.scheme === 'hf' ? adoptSnapshot(parts, { ...asked, parsed }) : undefined
}

/**
 * A snapshot that others put into the cache (copied there for a host without network), noted as
 * a model when it is complete. It is pinned: whoever carried it here wants it to stay.
 */
const adoptSnapshot = async (
  parts: StoreParts,
  { ref, parsed, key, options }: Asked<HubRef>,
): Promise<ModelManifest | undefined> => {
  const { paths, clock } = parts
  const dir = repositoryDir(parsed.repository)
  const commit = await commitHere(paths.at(dir), parsed.revision)
  if (commit === undefined) return undefined
  const snapshot = `${dir}/snapshots/${commit}`
  const found = await listSnapshot(paths.at(snapshot))
  const picked = pickHere(found, parsed.selector, options)
  if (!picked || (picked.kind === 'snapshot' && (await missing(paths.at(snapshot), picked.files))))
    return undefined
  const files = picked.files.map(({ path, sizeBytes }): ManifestFile => ({
    ...{ name: path, path: `${snapshot}/${path}`, sizeBytes },
  }))
  const manifest: ModelManifest = {
    ...{ version: 1, ref, canonical: parsed.canonical, want: options.want, kind: picked.kind },
    path: picked.kind === 'file' ? `${snapshot}/${picked.first.path}` : snapshot,
    ...{ revision: commit, files, isComplete: true, isPinned: true, lastUsedAtMs: clock.wall() },
  }
  await parts.manifests.write(key, manifest)
  return manifest
}

const commitHere = async (dir: string, revision: string): Promise<string | undefined> => {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision
  const text = await readFile(join(dir, 'refs', revision), 'utf8').catch(() => '')
  return /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : undefined
}

interface FoundFile extends ListedFile {
  readonly sizeBytes: number
}

/** Files whose content is there: a link to a blob that is not, is none. */
const listSnapshot = async (folder: string): Promise<readonly FoundFile[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files: FoundFile[] = []
  for (const entry of entries.slice(0, MAX_FILES)) {
    const full = join(entry.parentPath, entry.name)
    const stats = await stat(full).catch(() => undefined)
    if (stats?.isFile()) files.push({ path: relative(folder, full), sizeBytes: stats.size })
  }
  return files
}

const pickHere = (files: readonly FoundFile[], selector: string | undefined, wanted: Wanted) => {
  try {
    return pickFiles(files, selector, wanted)
  } catch {
    // What would be refused of the Hub's list is simply not here.
    return undefined
  }
}

const missing = async (folder: string, files: readonly FoundFile[]): Promise<boolean> => {
  const read = (path: string) => readFile(join(folder, path), 'utf8').catch(() => '')
  return (
    (
      await missingFromSnapshot(
        files.map(({ path }) => path),
        read,
      )
    ).length > 0
  )
}
