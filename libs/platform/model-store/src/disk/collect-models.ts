import type { Collected, CollectOptions, StoredModel } from '../model-store.ts'
import type { StoreParts } from '../store-parts.ts'
import type { ModelManifest } from './manifest.ts'
import { toStoredModel } from './manifest.ts'
import { isUsedByOthers } from './model-users.ts'
import { removeModel } from './remove-model.ts'

/** Frees models, least recently used first. `mayGo` has the last word on each. */
export const collectModels = async (
  parts: StoreParts,
  { needBytes, isInUse }: CollectOptions,
  mayGo: (key: string, model: StoredModel) => boolean,
): Promise<Collected> => {
  const removed: string[] = []
  let freedBytes = 0
  for (const [key, manifest] of await oldestFirst(parts)) {
    if (freedBytes >= needBytes) break
    const model = toStoredModel(manifest, parts.paths.at(manifest.path), 0)
    if (!mayGo(key, model) || isInUse?.(model) === true) continue
    const bytes = await removeModel(parts, key, manifest)
    freedBytes += bytes
    removed.push(manifest.ref)
    parts.log.info({ ref: manifest.ref, freedBytes: bytes }, 'model removed to free the disk')
  }
  return { freedBytes, removed }
}

/** Complete, not pinned, of no other agent: unfinished downloads are resumed, not collected. */
const oldestFirst = async ({
  manifests,
}: StoreParts): Promise<readonly (readonly [string, ModelManifest])[]> => {
  const all = await manifests.all()
  return all
    .filter(([, { isComplete, isPinned }]) => isComplete && !isPinned)
    .filter(([, manifest]) => !isUsedByOthers(manifest))
    .toSorted(([, a], [, b]) => a.lastUsedAtMs - b.lastUsedAtMs)
}
