import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { messageOf, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { paceLooks } from './pace-looks.ts'
import { truncateLog } from './rotate-log.ts'

const CHUNK_BYTES = 65_536
/** What an engine may print between two looks before lines are skipped. */
const BEHIND_MAX_BYTES = 1_048_576
const FILE_MAX_BYTES = 16_777_216

/** Reads the log of a running engine. */
export interface LogTail extends AsyncDisposable {
  /** Reads to the end of the file now. */
  catchUp(): Promise<void>
}

export interface TailOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** Hides what nobody is to see. */
  mask(line: string): string
  /** Default: 16 MiB. */
  readonly maxBytes?: number
  onLines(lines: readonly string[]): void
}

/**
 * Follows a file that an engine appends to, and keeps it below 16 MiB. The engine writes to a
 * file, not to a pipe: a pipe would end it with the agent.
 */
export const tailLog = (options: TailOptions): LogTail => {
  const { path, log } = options
  const decoder = new StringDecoder('utf8')
  let offset = 0
  let partial = ''
  let isTold = false
  let hasNew = false
  let reading: Promise<unknown> = Promise.resolve()

  const maxBytes = options.maxBytes ?? FILE_MAX_BYTES
  const read = async () => {
    // Most looks find nothing new, and cost next to nothing.
    if (offset <= maxBytes && statSync(path).size === offset) return
    hasNew = true
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    if (size < offset) offset = 0
    if (size - offset > BEHIND_MAX_BYTES) offset = size - BEHIND_MAX_BYTES
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    while (offset < size) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, offset)
      if (bytesRead === 0) break
      offset += bytesRead
      split(decoder.write(buffer.subarray(0, bytesRead)))
    }
    giveDrawing()
    if (await truncateLog(path, maxBytes)) offset = 0
  }
  const split = (text: string) => {
    const lines = (partial + text).split(/\r?\n/)
    partial = (lines.pop() ?? '').slice(-CHUNK_BYTES)
    if (lines.length > 0) options.onLines(lines.map((line) => options.mask(line)))
  }
  // A bar is drawn over and over in one line that ends with the work: it is told meanwhile.
  const giveDrawing = () => {
    const end = partial.trimEnd().lastIndexOf('\r')
    const drawing = partial
      .slice(0, Math.max(0, end))
      .split('\r')
      .findLast((each) => each !== '')
    if (drawing === undefined) return
    partial = partial.slice(end + 1)
    options.onLines([options.mask(drawing)])
  }
  const catchUp = async (): Promise<void> => {
    reading = reading.then(read).then(
      () => (isTold = false),
      (error: unknown) => {
        // Told once, not four times a second for as long as it lasts.
        if (!isTold) log.warn({ path, error: messageOf(error) }, 'engine log is not readable')
        isTold = true
      },
    )
    await reading
  }
  const looks = paceLooks(options, async () => {
    hasNew = false
    await catchUp()
    return hasNew
  })
  return {
    catchUp,
    [Symbol.asyncDispose]: async () => {
      looks[Symbol.dispose]()
      await catchUp()
      if (partial !== '') split('\n')
    },
  }
}
