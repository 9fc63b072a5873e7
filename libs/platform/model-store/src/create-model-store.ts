import { BerthError, messageOf } from '@berth/kernel'
import { createStoreParts } from './create-store-parts.ts'
import { adoptCarried } from './disk/adopt-carried.ts'
import { collectModels } from './disk/collect-models.ts'
import { findStored } from './disk/find-stored.ts'
import { toStoredModel, type ModelManifest } from './disk/manifest.ts'
import { manifestKey } from './disk/manifest-folder.ts'
import { withThisUser } from './disk/model-users.ts'
import { removeModel } from './disk/remove-model.ts'
import {
  checkDigest,
  checkDigestText,
  inUse,
  notHere,
  notOurs,
  offline,
} from './disk/store-refusals.ts'
import { withKnownDigest } from './disk/with-known-digest.ts'
import { toStoreError } from './disk/to-store-error.ts'
import { fetchModel } from './download/fetch-model.ts'
import { isClaimed } from './download/file-claim.ts'
import { createFlights } from './download/flights.ts'
import type { EnsureOptions, ModelStore, StoredModel } from './model-store.ts'
import { parseModelRef } from './ref/parse-model-ref.ts'
import { checkFileDigest } from './source/check-file-digest.ts'
import { locateFile } from './source/file-source.ts'
import type { ModelStoreOptions } from './store-options.ts'
import type { Asked, StoreParts } from './store-parts.ts'

type Flights = ReturnType<typeof createFlights<ModelManifest>>

/** What the two halves of a store share. */
interface Store {
  readonly options: ModelStoreOptions
  readonly parts: StoreParts
  readonly flights: Flights
  mayGo(key: string, model: StoredModel): boolean
}

/**
 * The model files below `root`. Makes the folder; asks nobody. Throws `CONFIG_INVALID` for hosts
 * or an endpoint that cannot be read.
 */
export const createModelStore = (options: ModelStoreOptions): ModelStore => {
  const flights: Flights = createFlights()
  const mayGo = (key: string, model: StoredModel): boolean =>
    !flights.has(key) && options.isInUse?.(model) !== true
  const collectWhenShort = async (needBytes: number): Promise<boolean> => {
    if (options.isCollecting !== true) return false
    return (await collectModels(parts, { needBytes }, mayGo)).freedBytes > 0
  }
  const parts = createStoreParts(options, collectWhenShort)
  const store: Store = { options, parts, flights, mayGo }
  return {
    ...{ root: options.root, hubDir: parts.paths.hubDir },
    ...createPresence(store),
    ...createUpkeep(store),
    disk: parts.room.sizes,
    collect: (how) => collectModels(parts, how, mayGo),
    close: () => flights.close(new BerthError('CANCELLED', 'The model store is closing.')),
  }
}

const createPresence = ({
  options,
  parts,
  flights,
}: Store): Pick<ModelStore, 'ensurePresent' | 'find'> => {
  const roots = options.fileRoots ?? []

  const used = async (
    { key, ref, options: how }: Asked,
    found: ModelManifest,
  ): Promise<StoredModel> => {
    const isAsked = how.digest !== undefined
    const manifest = isAsked ? await withKnownDigest(parts, found, how.signal) : found
    checkDigest(manifest, how.digest)
    const lastUsedAtMs = options.clock.wall()
    const next = { ...manifest, ref, lastUsedAtMs, users: withThisUser(manifest) }
    await parts.manifests.write(key, next).catch((error: unknown) =>
      // A disk that is full, or read-only, has the model all the same.
      parts.log.warn({ model_ref: ref, error: messageOf(error) }, 'use of a model is not noted'),
    )
    return toStored(parts, next)
  }

  const ensure = async (ref: string, how: EnsureOptions): Promise<StoredModel> => {
    const parsed = parseModelRef(ref)
    checkDigestText(how.digest)
    if (parsed.scheme === 'file')
      return checkFileDigest(parts, await locateFile(roots, ref, parsed, how), how)
    const asked: Asked = { ref, parsed, key: manifestKey(parsed.canonical, how), options: how }
    const isOffline = how.isOffline === true || options.isOffline?.() === true
    const isAsking = how.isRefresh === true && !isOffline
    const found = isAsking ? undefined : await findStored(parts, asked)
    if (found) return used(asked, found)
    if (isOffline) throw await offline(parts, asked)
    const fetched = await flights.join(
      asked.key,
      (signal, emit) => fetchModel(parts, asked, { signal, emit }),
      how,
    )
    return used(asked, fetched)
  }

  return {
    ensurePresent: async (ref, how) => {
      how.signal?.throwIfAborted()
      try {
        return await ensure(ref, how)
      } catch (error) {
        how.signal?.throwIfAborted()
        throw await toStoreError(options.root, error)
      }
    },

    find: async (ref, how) => {
      const parsed = parseModelRef(ref)
      if (parsed.scheme === 'file')
        return locateFile(roots, ref, parsed, how).catch(() => undefined)
      const key = manifestKey(parsed.canonical, how)
      const manifest = await findStored(parts, { ref, parsed, key, options: how })
      return manifest && toStored(parts, manifest)
    },
  }
}

const createUpkeep = ({
  options,
  parts,
  mayGo,
}: Store): Pick<ModelStore, 'list' | 'remove' | 'touch' | 'pin'> => {
  const { manifests, paths } = parts

  const manifestsOf = async (ref: string) => {
    const { canonical } = parseModelRef(ref)
    return (await manifests.all()).filter(([, manifest]) => manifest.canonical === canonical)
  }

  return {
    list: async () => {
      await adoptCarried(parts)
      return Promise.all((await manifests.all()).map(([, each]) => toStored(parts, each)))
    },

    remove: async (ref) => {
      if (parseModelRef(ref).scheme === 'file') throw notOurs(ref)
      const found = await manifestsOf(ref)
      if (found.length === 0) throw notHere(ref)
      for (const [key, manifest] of found) {
        const isFetched = manifest.files.some(({ path }) =>
          isClaimed(paths.claimOf(path), options.clock),
        )
        if (isFetched || !mayGo(key, await toStored(parts, manifest))) throw inUse(ref, isFetched)
      }
      let freedBytes = 0
      for (const [key, manifest] of found) freedBytes += await removeModel(parts, key, manifest)
      return freedBytes
    },

    touch: async (ref) => {
      for (const [key, manifest] of await manifestsOf(ref))
        await manifests.write(key, { ...manifest, lastUsedAtMs: options.clock.wall() })
    },

    pin: async (ref, isPinned) => {
      const found = await manifestsOf(ref)
      if (found.length === 0) throw notHere(ref)
      for (const [key, manifest] of found) await manifests.write(key, { ...manifest, isPinned })
    },
  }
}

const toStored = async (
  { paths, manifests }: StoreParts,
  manifest: ModelManifest,
): Promise<StoredModel> =>
  toStoredModel(manifest, paths.at(manifest.path), await manifests.bytesOnDisk(manifest))
