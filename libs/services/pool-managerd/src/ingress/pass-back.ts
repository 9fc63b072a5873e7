import type { IncomingMessage, ServerResponse } from 'node:http'
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
  /** The head the client gets; undefined while it is not known. */
  readonly isHeadKnown: boolean
  /** What is left for the client; undefined where the answer is not whole. */
  end(): { readonly status: number; readonly pieces: readonly Buffer[] } | undefined
  usage(): Usage | undefined
}

/** Passes an answer back as fast as the gateway reads. */
export const passBack = (
  answer: IncomingMessage,
  res: ServerResponse,
  options: PassBackOptions,
): void => {
  const { onPart, end, sinceStart } = options
  const status = answer.statusCode ?? 502
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false
  const handling = handlingOf(status === 200 && isStream && isReadable(answer), status, options)
  let firstByteMs: number | undefined
  const writeHead = (code: number, headers = fromEngine(answer.headers)) => {
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
    writeHead(status)
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
    writeHead(last.status, { 'content-type': 'application/json' })
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

const handlingOf = (
  isEditable: boolean,
  status: number,
  { asked, mustStream }: PassBackOptions,
): Handling => {
  if (isEditable && asked?.stream === 'no' && mustStream) return makeWhole()
  if (isEditable && asked?.stream === 'yes' && !asked.usage) return hideUsage(status)
  return asItIs(status)
}

const asItIs = (status: number): Handling => {
  const tail = createUsageTail()
  return {
    isHeadKnown: true,
    push: (piece) => {
      tail.push(piece)
      return [piece]
    },
    end: () => ({ status, pieces: [] }),
    usage: tail.read,
  }
}

const hideUsage = (status: number): Handling => {
  const filter = createUsageFilter()
  return {
    isHeadKnown: true,
    push: filter.push,
    end: () => ({ status, pieces: filter.end() }),
    usage: filter.read,
  }
}

const makeWhole = (): Handling => {
  const builder = createAnswerBuilder()
  return {
    isHeadKnown: false,
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
