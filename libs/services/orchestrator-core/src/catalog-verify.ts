import type { CatalogModel, ModelFiles } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'
import type { Catalog } from './catalog.ts'
import type { HostModels } from './host-models.ts'

/**
 * Compares the files that hosts have with an entry: by digest, or by the commit that its reference
 * names. Rejects with `UNTRUSTED_ARTIFACT` when one differs, or when there is nothing to compare;
 * with `MODEL_NOT_FOUND` when no host has the files.
 */
export const verifyCatalogModel = async (
  { catalog, models }: { readonly catalog: Catalog; readonly models: HostModels },
  modelId: string,
  context: CallContext,
): Promise<CatalogModel> => {
  const entry = await catalog.get(modelId)
  const expected = entry.digest || commitOf(entry.modelRef)
  if (expected === '') throw nothingToCompare(entry)
  const { hosts = [] } = await models.list('', context)
  const having = hosts.flatMap(({ hostId = '', models: files = [] }) =>
    (files as ModelFiles[])
      .filter(({ modelRef, isComplete }) => modelRef === entry.modelRef && isComplete)
      .map((file) => ({ hostId, found: entry.digest === '' ? file.revision : file.digest })),
  )
  const [first] = having
  if (!first) throw nowhere(entry)
  const other = having.find(({ found }) => found !== expected)
  if (other) throw differs(entry, expected, other)
  return catalog.setVerified(modelId, first.hostId)
}

/** `hf:ORG/NAME@COMMIT` cannot come to mean something else. */
const commitOf = (modelRef: string): string =>
  /^hf:[^@]*@([0-9a-f]{40})(?::|$)/.exec(modelRef)?.[1] ?? ''

const nothingToCompare = ({ modelId, modelRef }: CatalogModel) =>
  new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${modelId} has no digest, and ${modelRef} names no commit: there is nothing to compare its ` +
      'files with. Put the entry again with one of them.',
  )

const nowhere = ({ modelRef }: CatalogModel) =>
  new BerthError(
    'MODEL_NOT_FOUND',
    `No host that answers has the files of ${modelRef}. Bring them: berth models pull ${modelRef}`,
  )

const differs = (
  { modelRef }: CatalogModel,
  expected: string,
  { hostId, found }: { readonly hostId: string; readonly found: string },
) =>
  new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${modelRef} on ${hostId} is ${found === '' ? 'of no known digest' : found}, and the catalog ` +
      `says ${expected}. Remove it there and pull it again, or correct the entry.`,
    { facts: { host_id: hostId, expected, found } },
  )
