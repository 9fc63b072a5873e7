import { CatalogService, type CatalogModel, type CatalogState } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** Core asks every host when it verifies. */
const DEADLINE_MS = 10_000

/** A model as an operator puts it into the catalog. */
export interface CatalogDraft {
  readonly modelId: string
  readonly modelRef: string
  /** Empty: none is known. */
  readonly digest: string
  readonly memoryBytes?: bigint
}

/** The models a fleet may run, as a port. Fails with `BerthError` only. */
export interface CatalogAccess {
  /** `modelId` empty: all. Throws `MODEL_NOT_FOUND`. */
  list(modelId: string, correlationId: string): Promise<readonly CatalogModel[]>
  put(draft: CatalogDraft, correlationId: string): Promise<CatalogModel>
  remove(modelId: string, correlationId: string): Promise<void>
  /** Throws `UNTRUSTED_ARTIFACT` for files that are not those of the entry. */
  verify(modelId: string, correlationId: string): Promise<CatalogModel>
  setState(modelId: string, state: CatalogState, correlationId: string): Promise<CatalogModel>
}

/** Asks the leader. */
export const createCatalogClient = (cores: CoreAddresses): CatalogAccess & Disposable => {
  const clients = createCoreClients(CatalogService, cores)
  const { ask } = clients
  return {
    list: async (modelId, correlationId) =>
      (await ask((client) => client.listCatalogModels({ modelId }, { correlationId }))).models,
    put: async (draft, correlationId) =>
      known(await ask((client) => client.putCatalogModel(draft, { correlationId }))),
    remove: async (modelId, correlationId) => {
      await ask((client) => client.removeCatalogModel({ modelId }, { correlationId }))
    },
    verify: async (modelId, correlationId) => {
      const options = { correlationId, deadlineMs: DEADLINE_MS }
      return known(await ask((client) => client.verifyCatalogModel({ modelId }, options)))
    },
    setState: async (modelId, state, correlationId) => {
      const request = { modelId, state }
      return known(await ask((client) => client.setCatalogModelState(request, { correlationId })))
    },
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}

const known = ({ model }: { readonly model?: CatalogModel | undefined }): CatalogModel => {
  if (model) return model
  throw new BerthError('INTERNAL', 'The placement service answered without a model.')
}
