import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

const CHUNK_BYTES = 1024 * 1024

/** The digests a file can be known by, in hex. Rejects with the signal's reason. */
export const hashFile = async (
  path: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly sha256: string; readonly git: string }> => {
  const sha256 = createHash('sha256')
  const git = createHash('sha1').update(`blob ${sizeBytes}\0`)
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    signal?.throwIfAborted()
    sha256.update(chunk as Buffer)
    git.update(chunk as Buffer)
  }
  return { sha256: sha256.digest('hex'), git: git.digest('hex') }
}
