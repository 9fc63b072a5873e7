import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import type { FileCheck, PlannedFile } from '../source/fetch-plan.ts'

const CHUNK_BYTES = 1024 * 1024
const NOTE_MAX_CHARS = 4096
const NoteSchema = z.object({ validator: z.string().max(1024).optional() })

/** The unfinished file of a download, its hashes going along with what is written. */
export interface PartFile {
  bytes(): number
  /** `ETag` or `Last-Modified` of the source when the part was begun. */
  readonly validator: string | undefined
  /** Drops what is there and begins anew, of a source with this validator. */
  restart(validator: string | undefined): Promise<void>
  append(chunk: Buffer): Promise<void>
  /** Of everything in the part. */
  sha256(): string
  /** True as well when nothing is known to check. */
  isAsChecked(): boolean
  /** To the disk, not only to the cache of the system. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Where the part of a file stands, and the note beside it. */
export const partPathOf = (target: string): string => `${target}.part`
const notePathOf = (target: string): string => `${target}.part.json`

/** Opens the part of `target` and reads what is there through the hashes. */
export const openPart = async (
  target: string,
  { check, sizeBytes }: Pick<PlannedFile, 'check' | 'sizeBytes'>,
  signal: AbortSignal,
): Promise<PartFile> => {
  const handle = await open(partPathOf(target), 'a', 0o644)
  try {
    const startHashes = () => [createHash('sha256'), ...gitHash(check, sizeBytes)] as const
    let hashes: readonly Hash[] = startHashes()
    let bytes = await readInto(hashes, partPathOf(target), signal)
    let validator = await readNote(target)
    return {
      bytes: () => bytes,
      get validator() {
        return validator
      },
      restart: async (next) => {
        await handle.truncate(0)
        bytes = 0
        hashes = startHashes()
        validator = next
        await writeFile(notePathOf(target), JSON.stringify({ validator }), { mode: 0o644 })
      },
      append: async (chunk) => {
        await writeAll(handle, chunk)
        for (const hash of hashes) hash.update(chunk)
        bytes += chunk.length
      },
      sha256: () => hashes[0]!.copy().digest('hex'),
      isAsChecked: () => check === undefined || hashes.at(-1)!.copy().digest('hex') === check.hex,
      sync: () => handle.sync(),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Removes the part and its note. */
export const removePart = async (target: string): Promise<void> => {
  await rm(partPathOf(target), { force: true })
  await rm(notePathOf(target), { force: true })
}

/** Removes what stands beside a part that became the file. */
export const removeNote = (target: string): Promise<void> => rm(notePathOf(target), { force: true })

/** Only where it is needed, and then last: the others are known by their sha256. */
const gitHash = (check: FileCheck | undefined, sizeBytes = 0): readonly Hash[] =>
  check?.kind === 'git' ? [createHash('sha1').update(`blob ${sizeBytes}\0`)] : []

const readInto = async (
  hashes: readonly Hash[],
  path: string,
  signal: AbortSignal,
): Promise<number> => {
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
    for (const hash of hashes) hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return bytes
}

const readNote = async (target: string): Promise<string | undefined> => {
  const text = await readFile(notePathOf(target), 'utf8').catch(() => '')
  if (text === '' || text.length > NOTE_MAX_CHARS) return undefined
  try {
    return NoteSchema.safeParse(JSON.parse(text)).data?.validator
  } catch {
    // Half a note, of a process that was killed: the part is of a source that nobody knows.
    return undefined
  }
}

const writeAll = async (handle: FileHandle, chunk: Buffer): Promise<void> => {
  let from = 0
  while (from < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, from, chunk.length - from)
    from += bytesWritten
  }
}
