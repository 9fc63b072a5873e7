import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BUCKETS, type Bus, type Kv } from '@berth/bus'
import {
  CatalogModelSchema,
  CatalogState,
  type CatalogModel,
  type PutCatalogModelRequest,
} from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import { checkCatalogDraft } from './catalog-draft.ts'

/** Source: architecture, bounds of what operators store. */
export const CATALOG_MAX = 10_000

/** The models a fleet may run. Stored, so that it outlives every core; rejects as `Kv` does. */
export interface Catalog {
  /** Sorted by id. */
  list(): Promise<CatalogModel[]>
  /** Rejects with `MODEL_NOT_FOUND`. */
  get(modelId: string): Promise<CatalogModel>
  /** Rejects with `INVALID_PARAMS`, or `UNTRUSTED_ARTIFACT` for a source that is not allowed. */
  put(draft: PutCatalogModelRequest): Promise<CatalogModel>
  /** Rejects with `MODEL_NOT_FOUND`. */
  remove(modelId: string): Promise<void>
  setState(modelId: string, state: CatalogState): Promise<CatalogModel>
  setVerified(modelId: string, hostId: string): Promise<CatalogModel>
  /** Entries as they were read last; while the store is away, as they were known. */
  known(): Promise<readonly CatalogModel[]>
}

export interface CatalogOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: RpcLog
  /** What references may begin with. Empty: with anything. */
  readonly allowedSources: readonly string[]
}

export const createCatalog = ({ bus, clock, log, allowedSources }: CatalogOptions): Catalog => {
  let opening: Promise<Kv> | undefined
  let lastKnown: readonly CatalogModel[] = []

  const open = () =>
    (opening ??= bus.openKv(BUCKETS.catalog).catch((error: unknown) => {
      opening = undefined
      throw error
    }))
  const list = async () => {
    const entries = await (await open()).list()
    lastKnown = entries.flatMap(({ value }) => read(value, log)).sort(byId)
    return [...lastKnown]
  }
  const find = async (modelId: string) => {
    const entry = await (await open()).get(modelId)
    const [model] = entry ? read(entry.value, log) : []
    return entry && model && { model, revision: entry.revision }
  }
  const change = async (modelId: string, edit: (model: CatalogModel) => void) => {
    const found = await find(modelId)
    if (!found) throw notInCatalog(modelId)
    edit(found.model)
    found.model.updatedAtMs = nowMs(clock)
    await (await open()).update(modelId, toBinary(CatalogModelSchema, found.model), found.revision)
    return found.model
  }
  return {
    list,
    get: async (modelId) => {
      const found = await find(modelId)
      if (found) return found.model
      throw notInCatalog(modelId)
    },
    put: async (draft) => {
      checkCatalogDraft(draft, allowedSources)
      const found = await find(draft.modelId)
      if (!found && (await list()).length >= CATALOG_MAX) throw full()
      const model = toModel(draft, found?.model, nowMs(clock))
      const bytes = toBinary(CatalogModelSchema, model)
      const kv = await open()
      if (found) await kv.update(draft.modelId, bytes, found.revision)
      else await kv.create(draft.modelId, bytes)
      return model
    },
    remove: async (modelId) => {
      const found = await find(modelId)
      if (!found) throw notInCatalog(modelId)
      await (await open()).delete(modelId, found.revision)
    },
    setState: (modelId, state) =>
      change(modelId, (model) => {
        model.state = state
      }),
    setVerified: (modelId, hostId) =>
      change(modelId, (model) => {
        model.verifiedAtMs = nowMs(clock)
        model.verifiedHostId = hostId
      }),
    known: async () => {
      try {
        return await list()
      } catch (error) {
        const { reason, message } = BerthError.from(error)
        log.warn({ reason, detail: message }, 'catalog cannot be read')
        return lastKnown
      }
    },
  }
}

const toModel = (
  { modelId, modelRef, digest, memoryBytes }: PutCatalogModelRequest,
  old: CatalogModel | undefined,
  now: bigint,
): CatalogModel => {
  const isSame = old?.modelRef === modelRef && old.digest === digest
  return create(CatalogModelSchema, {
    ...{ modelId, modelRef, digest, updatedAtMs: now },
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    state: old?.state ?? CatalogState.ACTIVE,
    createdAtMs: old?.createdAtMs ?? now,
    ...(isSame && old.verifiedAtMs !== undefined
      ? { verifiedAtMs: old.verifiedAtMs, verifiedHostId: old.verifiedHostId }
      : {}),
  })
}

/** What another version wrote may not be readable: it hides that entry and nothing else. */
const read = (value: Uint8Array, log: RpcLog): CatalogModel[] => {
  try {
    return [fromBinary(CatalogModelSchema, value)]
  } catch (error) {
    log.warn({ detail: String(error) }, 'catalog entry cannot be read')
    return []
  }
}

const nowMs = (clock: Clock) => BigInt(Math.round(clock.wall()))

const byId = (a: CatalogModel, b: CatalogModel) => (a.modelId < b.modelId ? -1 : 1)

const notInCatalog = (modelId: string) =>
  new BerthError(
    'MODEL_NOT_FOUND',
    `The catalog has no model ${JSON.stringify(modelId.slice(0, 80))}. GET /v1/catalog/models lists it.`,
  )

const full = () =>
  new BerthError('INVALID_PARAMS', `The catalog holds ${CATALOG_MAX} models. Remove one first.`)
