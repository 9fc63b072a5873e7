import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/kernel'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { shortHash } from '../disk/store-paths.ts'
import { writeFileAtomic } from '../disk/write-file-atomic.ts'
import { hashFile } from '../download/hash-file.ts'
import type { EnsureOptions, StoredModel } from '../model-store.ts'
import type { StoreParts } from '../store-parts.ts'

const NoteSchema = z.object({ state: z.string(), sha256: z.string() })

/**
 * Holds a file of the operator's against the digest it must have. The file is read once for each
 * state of it (size, time, inode): hundreds of gigabytes are not hashed at every start.
 */
export const checkFileDigest = async (
  { paths }: Pick<StoreParts, 'paths'>,
  model: StoredModel,
  { digest, signal }: Pick<EnsureOptions, 'digest' | 'signal'>,
): Promise<StoredModel> => {
  if (digest === undefined) return model
  if (model.kind !== 'file')
    throw new BerthError('INVALID_PARAMS', 'A digest is of one file, and this model is a folder.')
  const stats = await stat(model.path)
  const state = [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino].join(' ')
  const notePath = join(paths.root, 'digests', `${shortHash(model.path)}.json`)
  const known = await readNote(notePath)
  const sha256 =
    known?.state === state ? known.sha256 : (await hashFile(model.path, stats.size, signal)).sha256
  if (known?.state !== state) await writeFileAtomic(notePath, JSON.stringify({ state, sha256 }))
  if (`sha256:${sha256}` === digest) return { ...model, digest }
  throw new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${model.ref} has digest sha256:${sha256}, and ${digest} is wanted. Replace the file, or correct the digest.`,
  )
}

const readNote = async (path: string): Promise<z.infer<typeof NoteSchema> | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => '{}')
  try {
    return NoteSchema.safeParse(JSON.parse(text)).data
  } catch {
    // Half a note: the file is read again.
    return undefined
  }
}
