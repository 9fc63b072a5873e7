import type { PutCatalogModelRequest } from '@berth/contract'
import { BerthError, parseModelId } from '@berth/kernel'

const REF_MAX_CHARS = 1_024
/** Control characters and marks that change how a line reads. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const DIGEST = /^sha256:[0-9a-f]{64}$/
/** 1 PiB. */
const MEMORY_MAX_BYTES = 2n ** 50n

/** Refuses an entry that could never be used, naming the field. */
export const checkCatalogDraft = (
  { modelId, modelRef, digest, memoryBytes }: PutCatalogModelRequest,
  allowedSources: readonly string[],
): void => {
  try {
    parseModelId(modelId)
  } catch (error) {
    throw invalid('model_id', BerthError.from(error).message)
  }
  if (modelRef === '' || modelRef.length > REF_MAX_CHARS || UNSEEN.test(modelRef))
    throw invalid('model_ref', `Expected 1 to ${REF_MAX_CHARS} plain characters.`)
  if (modelRef.startsWith('-')) throw invalid('model_ref', 'It could be read as a flag.')
  if (digest !== '' && !DIGEST.test(digest))
    throw invalid('digest', 'Expected "sha256:" and 64 of 0-9 and a-f.')
  if (memoryBytes !== undefined && (memoryBytes === 0n || memoryBytes > MEMORY_MAX_BYTES))
    throw invalid('memory_bytes', 'Expected 1 to 2^50 bytes.')
  if (allowedSources.length > 0 && !allowedSources.some((start) => modelRef.startsWith(start)))
    throw new BerthError(
      'UNTRUSTED_ARTIFACT',
      `${modelRef} comes from a source that is not allowed here. Allowed: ${allowedSources.join(', ')} (catalog.allowed_sources of core).`,
      { facts: { param: 'model_ref' } },
    )
}

const invalid = (param: string, message: string) =>
  new BerthError('INVALID_PARAMS', `${param}: ${message}`, { facts: { param } })
