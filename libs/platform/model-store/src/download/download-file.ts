import { chmod, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BerthError, messageOf, sleep, type Clock } from '@berth/kernel'
import { makeFolder } from '../disk/make-folder.ts'
import { SourceFailure } from '../egress/source-failure.ts'
import type { PlannedFile } from '../source/fetch-plan.ts'
import { diskFull, readDiskSizes, type DiskRoom } from './disk-room.ts'
import { openPart, partPathOf, removeNote, removePart, type PartFile } from './part-file.ts'
import { streamIntoPart } from './stream-into-part.ts'

/** So much more than before makes an attempt a success, however it ended. */
const ADVANCED_BYTES = 1024 * 1024
const DELAY_MAX_MS = 30_000

/** Attempts after failures. */
export interface RetryOptions {
  /** In a row, without 1 MiB of progress in between. */
  readonly maxFailures: number
  /** Doubles each time, up to 30 s. */
  readonly firstDelayMs: number
}

/** What downloads work with. */
export interface DownloadDeps {
  readonly clock: Clock
  readonly room: DiskRoom
  readonly retry: RetryOptions
  /** Longest silence of a source. */
  readonly silenceMs: number
}

/** One download. */
export interface DownloadRequest {
  readonly file: PlannedFile
  /** Absolute. */
  readonly target: string
  readonly signal: AbortSignal
  onBytes(bytes: number): void
}

/** A file that is whole, verified where its content was known, and on the disk. */
export interface DownloadedFile {
  readonly sizeBytes: number
  readonly sha256: string
}

/**
 * Downloads a file to `target`, going on where an earlier attempt ended. Rejects with `BerthError`
 * (`INSUFFICIENT_DISK`, `UNTRUSTED_ARTIFACT`, `MODEL_LOAD_FAILED`, what the source refuses) and
 * with the signal's reason; the part stays for the next time unless its content is wrong.
 */
export const downloadFile = async (
  deps: DownloadDeps,
  request: DownloadRequest,
): Promise<DownloadedFile> => {
  await makeFolder(dirname(request.target))
  let failures = 0
  // The most that was ever there: a source that always begins anew does not advance for ever.
  let mostBytes = 0
  for (;;) {
    let bytes = 0
    const onBytes = (count: number) => {
      bytes = count
      request.onBytes(count)
    }
    try {
      return await attempt(deps, { ...request, onBytes })
    } catch (error) {
      request.signal.throwIfAborted()
      if (isDiskFull(error)) throw await fullDisk(request, bytes, error)
      if (!(error instanceof SourceFailure)) throw error
      failures = bytes - mostBytes >= ADVANCED_BYTES ? 1 : failures + 1
      mostBytes = Math.max(mostBytes, bytes)
      if (failures > deps.retry.maxFailures) throw gaveUp(request.file, bytes, error)
      const delayMs = error.retryAfterMs ?? deps.retry.firstDelayMs * 2 ** (failures - 1)
      await sleep(deps.clock, Math.min(delayMs, DELAY_MAX_MS), request.signal)
    }
  }
}

const attempt = async (deps: DownloadDeps, request: DownloadRequest): Promise<DownloadedFile> => {
  const { file, target, signal } = request
  const sizeBytes = file.sizeBytes
  const part = await openPart(target, file, signal)
  try {
    const resumedBytes = part.bytes()
    request.onBytes(resumedBytes)
    if (resumedBytes === 0 || resumedBytes !== sizeBytes || !file.check)
      await streamIntoPart(deps, request, part)
    await verify(request, part, resumedBytes > 0)
    await part.sync()
  } finally {
    await part.close()
  }
  await chmod(partPathOf(target), 0o644)
  await rename(partPathOf(target), target)
  await syncFolder(dirname(target))
  await removeNote(target)
  return { sizeBytes: part.bytes(), sha256: part.sha256() }
}

/** A wrong part that was resumed may be of another time: then it is tried once from the start. */
const verify = async (
  { file, target }: DownloadRequest,
  part: PartFile,
  isResumed: boolean,
): Promise<void> => {
  if (!file.check || part.isAsChecked()) return
  await removePart(target)
  if (isResumed) throw new SourceFailure('what was there before was of other content')
  const { kind, hex } = file.check
  throw new BerthError(
    'UNTRUSTED_ARTIFACT',
    `${file.name} is not what its source says: its ${kind} digest should be ${hex}${kind === 'sha256' ? ` and is ${part.sha256()}` : ''}. It was removed; check the source, then try again.`,
    { facts: { file: file.name, digest: hex } },
  )
}

/** The rename is on the disk when its folder is. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const gaveUp = (file: PlannedFile, bytes: number, error: SourceFailure): BerthError => {
  const of = file.sizeBytes === undefined ? '' : ` of ${file.sizeBytes}`
  return new BerthError(
    'MODEL_LOAD_FAILED',
    `${file.name} could not be fetched: ${messageOf(error)}; ${bytes}${of} bytes are here and are kept. Try again when the source answers.`,
    {
      facts: {
        bytes_done: bytes,
        ...(file.sizeBytes === undefined ? {} : { bytes_total: file.sizeBytes }),
      },
      cause: error,
    },
  )
}

const isDiskFull = (error: unknown): boolean =>
  Error.isError(error) && ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')

const fullDisk = async ({ file, target }: DownloadRequest, bytes: number, error: unknown) => {
  const { freeBytes } = await readDiskSizes(dirname(target))
  return diskFull((file.sizeBytes ?? bytes + 1) - bytes, freeBytes, error)
}
