import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Asked } from './edit-body.ts'
import { fromEngine } from './headers.ts'
import { createUsageFilter } from './hide-usage.ts'
import type { RelayOutcome } from './relay.ts'
import { createUsageTail, type Usage } from './usage-tail.ts'
import { createAnswerBuilder } from './whole-answer.ts'

export interface PassBackOptions {
  readonly instanceId: string
  /** What the client asked for, where the body was read for it. */
  readonly asked: Asked | undefined
  /** The engine streams whatever is asked. */
  readonly mustStream: boolean
  /** Milliseconds since the request began. */
  readonly sinceStart: () => number
  onPart(bytes: number, isStream: boolean): void
  end(outcome: RelayOutcome): void
}

/** What becomes of an answer on its way back, so that no edit of the request shows. */
interface Handling {
  /** What the client gets of a piece, at once. */
  push(piece: Buffer): readonly Buffer[]
  /** The head goes ahead of what follows. */
  readonly isHeadKnown: boolean
  /** What the client gets is one body that we made. */
  readonly isWhole: boolean
  /** What is left for the client; undefined where the answer is not whole. */
  end(): { readonly status: number; readonly pieces: readonly Buffer[] } | undefined
  usage(): Usage | undefined
}

const WHOLE = { 'content-type': 'application/json' }

/** Passes an answer back as fast as the gateway reads. */
export const passBack = (
  answer: IncomingMessage,
  res: ServerResponse,
  options: PassBackOptions,
): void => {
  const { onPart, end, sinceStart } = options
  const status = answer.statusCode ?? 502
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false
  const isEditable = status === 200 && isStream && isReadable(answer)
  const handling = isEditable ? editsUndone(status, options) : asItIs(status, answer, isStream)
  let firstByteMs: number | undefined
  const writeHead = (code: number, headers: OutgoingHttpHeaders) => {
    if (res.headersSent || res.destroyed) return
    const { instanceId } = options
    res.writeHead(code, { ...headers, 'berth-instance': instanceId, trailer: 'Berth-Usage' })
  }
  const write = (pieces: readonly Buffer[]) => {
    if (res.destroyed) return
    let hasRoom = true
    for (const piece of pieces) hasRoom = res.write(piece)
    if (hasRoom) return
    answer.pause()
    res.once('drain', () => answer.resume())
  }
  if (handling.isHeadKnown) {
    writeHead(status, fromEngine(answer.headers))
    // The head says that the engine works, long before its first token.
    res.flushHeaders()
  }
  answer.on('data', (piece: Buffer) => {
    firstByteMs ??= sinceStart()
    onPart(piece.length, isStream)
    write(handling.push(piece))
  })
  answer.on('end', () => {
    // 'end' comes for a body that broke off too.
    const last = answer.complete ? handling.end() : undefined
    if (!last) return end({ kind: 'broken' })
    writeHead(last.status, handling.isWhole ? WHOLE : fromEngine(answer.headers))
    write(last.pieces)
    const usage = handling.usage()
    if (usage && !res.destroyed)
      res.addTrailers({ 'Berth-Usage': `in=${usage.tokensIn},out=${usage.tokensOut}` })
    const totalMs = sinceStart()
    const times = { firstByteMs: firstByteMs ?? totalMs, totalMs }
    end({ kind: 'done', status: last.status, isStream, ...times, usage })
    res.end()
  })
  answer.on('error', () => end({ kind: 'broken' }))
  answer.on('aborted', () => end({ kind: 'broken' }))
}

/** Nothing but what we asked for ourselves is compressed, and we ask for nothing. */
const isReadable = ({ headers }: IncomingMessage): boolean =>
  (headers['content-encoding'] ?? 'identity') === 'identity'

const editsUndone = (status: number, { asked, mustStream }: PassBackOptions): Handling => {
  if (asked?.stream === 'no' && mustStream) return makeWhole()
  return asked?.stream === 'yes' && !asked.usage ? hideUsage(status) : asItComes(status)
}

/** A body that is no stream and not longer is passed in one piece, once it is whole. */
const HELD_MAX_BYTES = 65_536

const asItIs = (status: number, { headers }: IncomingMessage, isStream: boolean): Handling => {
  const length = Number(headers['content-length'] ?? Number.NaN)
  return !isStream && length <= HELD_MAX_BYTES ? inOnePiece(status) : asItComes(status)
}

const asItComes = (status: number): Handling => {
  const tail = createUsageTail()
  return {
    ...{ isHeadKnown: true, isWhole: false },
    push: (piece) => {
      tail.push(piece)
      return [piece]
    },
    end: () => ({ status, pieces: [] }),
    usage: tail.read,
  }
}

/** One write where there were three; and one that breaks off has sent nothing, and may be retried. */
const inOnePiece = (status: number): Handling => {
  const tail = createUsageTail()
  const pieces: Buffer[] = []
  return {
    ...{ isHeadKnown: false, isWhole: false },
    push: (piece) => {
      tail.push(piece)
      pieces.push(piece)
      return []
    },
    end: () => ({ status, pieces }),
    usage: tail.read,
  }
}

const hideUsage = (status: number): Handling => {
  const filter = createUsageFilter()
  return {
    ...{ isHeadKnown: true, isWhole: false },
    push: filter.push,
    end: () => ({ status, pieces: filter.end() }),
    usage: filter.read,
  }
}

const makeWhole = (): Handling => {
  const builder = createAnswerBuilder()
  return {
    ...{ isHeadKnown: false, isWhole: true },
    push: (piece) => {
      builder.push(piece)
      return []
    },
    end: () => {
      const whole = builder.end()
      if (!whole) return undefined
      return { status: whole.status, pieces: [Buffer.from(JSON.stringify(whole.body))] }
    },
    usage: builder.read,
  }
}
