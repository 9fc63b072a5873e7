import { create } from '@bufbuild/protobuf'
import {
  CatalogState,
  CommandHostRequestSchema,
  PullModelFilesSchema,
  type CatalogModel,
  type CommandHostRequest,
  type CommandPoolRequest,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Catalog } from './catalog.ts'

/** What the catalog has to say of commands that bring or load models. */
export interface CatalogGate {
  /** The command with the digest that the catalog knows. Rejects with `UNTRUSTED_ARTIFACT`. */
  admitToHost(request: CommandHostRequest): Promise<CommandHostRequest>
  /** Rejects with `UNTRUSTED_ARTIFACT` for a model that is retired. */
  admitToPool(request: CommandPoolRequest): Promise<void>
}

export const createCatalogGate = (catalog: Catalog): CatalogGate => {
  const entriesOf = async (modelRef: string) =>
    (await catalog.known()).filter((model) => model.modelRef === modelRef)
  return {
    admitToHost: async (request) => {
      const { command } = request
      if (command.case !== 'pull') return request
      const { modelRef, digest } = command.value
      const entries = await entriesOf(modelRef)
      refuseRetired(modelRef, entries)
      const known = entries.find((entry) => entry.digest !== '')?.digest ?? ''
      if (known === '' || digest === known) return request
      if (digest !== '') throw contradicted(modelRef, digest, known)
      const value = create(PullModelFilesSchema, { modelRef, digest: known })
      const { hostId, idempotencyKey } = request
      return create(CommandHostRequestSchema, {
        ...{ hostId, idempotencyKey, command: { case: 'pull', value } },
      })
    },
    admitToPool: async ({ command }) => {
      const modelRef = refOf(command)
      if (modelRef !== '') refuseRetired(modelRef, await entriesOf(modelRef))
    },
  }
}

const refOf = (command: CommandPoolRequest['command']): string => {
  if (command.case === 'loadModel') return command.value.modelRef
  return command.case === 'reload' ? command.value.newModelRef : ''
}

/** Another entry for the same files may still be active. */
const refuseRetired = (modelRef: string, entries: readonly CatalogModel[]): void => {
  const isRetired =
    entries.length > 0 && entries.every(({ state }) => state === CatalogState.RETIRED)
  if (!isRetired) return
  throw new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${modelRef} is retired in the catalog (${entries[0]!.modelId}). Choose another model, or make ` +
      'it active again: POST /v1/catalog/models/{id}/state.',
    { facts: { model_id: entries[0]!.modelId } },
  )
}

const contradicted = (modelRef: string, digest: string, known: string) =>
  new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${modelRef} is to have the digest ${known}, as the catalog says, and not ${digest}.`,
    { facts: { param: 'digest', expected: known } },
  )
