import { hashFile } from '../download/hash-file.ts'
import type { StoreParts } from '../store-parts.ts'
import type { ModelManifest } from './manifest.ts'

/** A file that was carried into the store has no digest until somebody wants one: it is read. */
export const withKnownDigest = async (
  { paths }: Pick<StoreParts, 'paths'>,
  manifest: ModelManifest,
  signal?: AbortSignal,
): Promise<ModelManifest> => {
  const [file, ...others] = manifest.files
  if (!file?.sizeBytes || file.sha256 !== undefined || others.length > 0) return manifest
  const { sha256 } = await hashFile(paths.at(file.path), file.sizeBytes, signal)
  return { ...manifest, files: [{ ...file, sha256 }] }
}
