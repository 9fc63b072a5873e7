import { messageOf } from '@berth/kernel'
import type { GetAnswer } from '../egress/http-get.ts'
import { passingFailure } from '../egress/passing-failure.ts'
import { SourceFailure } from '../egress/source-failure.ts'
import { watchFlow } from '../egress/watch-flow.ts'
import type { DownloadDeps, DownloadRequest } from './download-file.ts'
import type { RoomHold } from './disk-room.ts'
import type { PartFile } from './part-file.ts'

/** How often the disk is looked at while bytes arrive. */
const CHECK_EVERY_BYTES = 64 * 1024 * 1024

/** Asks for what the part lacks and appends it. Rejects with `SourceFailure` where it broke off. */
export const streamIntoPart = async (
  deps: DownloadDeps,
  { file, signal, onBytes }: DownloadRequest,
  part: PartFile,
): Promise<void> => {
  // Without a digest to check at the end, only a source that names its version may be resumed.
  if (part.bytes() > (file.sizeBytes ?? Infinity) || (!file.check && !part.validator))
    await part.restart(undefined)
  const answer = await file.open(rangeHeaders(part), signal)
  let hold: RoomHold | undefined
  try {
    const totalBytes = await settle(answer, file, part)
    onBytes(part.bytes())
    hold = await deps.room.hold((totalBytes ?? part.bytes()) - part.bytes())
    await copy(deps, answer, part, { totalBytes, hold, onBytes })
    if (totalBytes !== undefined && part.bytes() < totalBytes)
      throw new SourceFailure(`${answer.url.host} ended after ${part.bytes()} of ${totalBytes}`)
  } finally {
    hold?.release()
    answer.body.destroy()
  }
}

const rangeHeaders = (part: PartFile): Record<string, string> =>
  part.bytes() === 0
    ? {}
    : {
        range: `bytes=${part.bytes()}-`,
        ...(part.validator === undefined ? {} : { 'if-range': part.validator }),
      }

/** Makes part and answer fit each other; returns how long the file is, when that is told. */
const settle = async (
  answer: GetAnswer,
  file: DownloadRequest['file'],
  part: PartFile,
): Promise<number | undefined> => {
  const { status, headers } = answer
  if (status === 416) {
    // It is shorter than the part: it has changed, or the part is whole and nobody knew.
    await part.restart(undefined)
    throw new SourceFailure(`${answer.url.host} has no such range`)
  }
  if (status !== 200 && status !== 206) throw refusalOf(answer, file)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity')
    throw new SourceFailure(`${answer.url.host} sends it as ${encoding}, though asked not to`)
  if (status === 206 && !file.check && isOfAnother(headers, part)) {
    await part.restart(undefined)
    throw new SourceFailure(`${answer.url.host} has another version of it now`)
  }
  const totalBytes = status === 206 ? rangeTotal(answer, part) : lengthOf(headers)
  if (status === 200) await part.restart(validatorOf(headers))
  if (totalBytes !== undefined && file.sizeBytes !== undefined && totalBytes !== file.sizeBytes)
    throw new SourceFailure(
      `${answer.url.host} has ${totalBytes} bytes of it, and it should be ${file.sizeBytes}`,
    )
  return file.sizeBytes ?? totalBytes
}

const rangeTotal = ({ headers, url }: GetAnswer, part: PartFile): number | undefined => {
  const [, from = '', total = '*'] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? []
  if (from === '' || Number(from) !== part.bytes())
    throw new SourceFailure(`${url.host} answers with another range than it was asked for`)
  return total === '*' ? undefined : Number(total)
}

const lengthOf = (headers: GetAnswer['headers']): number | undefined => {
  const text = headers['content-length'] ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** A strong ETag, else the time of the last change (RFC 9110, 13.1.5). */
const validatorOf = ({ etag, 'last-modified': modified }: GetAnswer['headers']) =>
  etag?.startsWith('"') ? etag : modified

/** Not every source heeds `If-Range`; without a digest nothing would show that two were joined. */
const isOfAnother = (
  { etag, 'last-modified': modified }: GetAnswer['headers'],
  { validator }: PartFile,
): boolean => {
  const told = validator?.startsWith('"') ? etag : modified
  return told !== undefined && told !== validator
}

const refusalOf = (answer: GetAnswer, file: DownloadRequest['file']): Error => {
  const { status, url, isElsewhere } = answer
  // Storage that a source sends us to refuses links that are too old: the next one is new.
  if (isElsewhere && [400, 401, 403].includes(status))
    return new SourceFailure(`${url.host} answers ${status}`)
  return passingFailure(answer) ?? file.refuse(answer)
}

const copy = async (
  { clock, silenceMs, room }: DownloadDeps,
  { body, url }: GetAnswer,
  part: PartFile,
  to: {
    readonly totalBytes: number | undefined
    readonly hold: RoomHold
    onBytes(bytes: number): void
  },
): Promise<void> => {
  const stop = watchFlow(body, { clock, silenceMs }, part.bytes)
  let uncheckedBytes = 0
  try {
    for await (const chunk of chunksOf(body, url)) {
      if (part.bytes() + chunk.length > (to.totalBytes ?? Infinity))
        throw new SourceFailure(`${url.host} sends more than it said`)
      await part.append(chunk)
      to.hold.use(chunk.length)
      to.onBytes(part.bytes())
      uncheckedBytes += chunk.length
      if (uncheckedBytes < CHECK_EVERY_BYTES) continue
      uncheckedBytes = 0
      await room.check()
    }
  } finally {
    stop()
  }
}

/** What goes wrong while reading is the source's fault, what goes wrong while writing is not. */
async function* chunksOf(body: GetAnswer['body'], url: URL): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer
  } catch (error) {
    if (error instanceof SourceFailure) throw error
    throw new SourceFailure(`${url.host} broke off (${messageOf(error)})`, { cause: error })
  }
}
