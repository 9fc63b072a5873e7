import { BerthError } from '@berth/kernel'
import type { Asked, StoreParts } from '../store-parts.ts'
import type { ModelManifest } from './manifest.ts'

/** Throws `INVALID_PARAMS` for a digest that is written in another way. */
export const checkDigestText = (digest: string | undefined): void => {
  if (digest === undefined || /^sha256:[0-9a-f]{64}$/.test(digest)) return
  throw new BerthError(
    'INVALID_PARAMS',
    'A digest is sha256: and 64 hex digits in lower case. Correct it.',
    { facts: { param: 'digest' } },
  )
}

/** Throws `UNTRUSTED_ARTIFACT` when what is here has another digest than it must have. */
export const checkDigest = ({ files, ref }: ModelManifest, digest: string | undefined): void => {
  const [file, ...others] = files
  if (digest === undefined || (others.length === 0 && `sha256:${file?.sha256 ?? ''}` === digest))
    return
  throw new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${ref} is in the store with ${file?.sha256 && others.length === 0 ? `digest sha256:${file.sha256}` : 'no digest of its own'}, and ${digest} is wanted. Remove it from the store, or correct the digest.`,
  )
}

/** The refusal of a model that is not complete here where nothing may be fetched. */
export const offline = async (
  { manifests }: StoreParts,
  { key, parsed }: Asked,
): Promise<BerthError> => {
  const part = await manifests.read(key)
  const bytes = part ? await manifests.bytesOnDisk(part) : 0
  return new BerthError(
    'MODEL_NOT_FOUND',
    `Nothing may be fetched here (airgapped), and ${parsed.canonical} is not complete in the store${bytes > 0 ? ` (${bytes} bytes of it are)` : ''}. Copy its complete snapshot into the store, or allow fetching.`,
    { facts: { is_offline: true, bytes_done: bytes } },
  )
}

/** The refusal of a model that is not in the store. */
export const notHere = (ref: string) =>
  new BerthError(
    'MODEL_NOT_FOUND',
    `${ref} is not in the store of this host. List what is there with berth models ls.`,
  )

/** The refusal to remove what is used or fetched right now. */
export const inUse = (ref: string, isFetched: boolean) =>
  new BerthError(
    'ACTIVE_REQUESTS',
    `${ref} is ${isFetched ? 'being fetched' : 'in use'} and was not removed. ${isFetched ? 'Wait for its end or cancel it' : 'Unload it'}, then try again.`,
  )

/** The refusal to remove a file that the store did not bring here. */
export const notOurs = (ref: string) =>
  new BerthError(
    'UNSUPPORTED_OPERATION',
    `${ref} is a file of yours, which Berth never removes. Remove it yourself when nothing uses it.`,
  )
