import type { ClientRequest, IncomingMessage } from 'node:http'
import type { BodyEditor } from './edit-body.ts'

/** A body up to here is sent with its length, which not every server can do without. */
const GATHER_MAX_BYTES = 262_144

export interface SendBodyOptions {
  /** Absent: the body goes as it comes. */
  readonly editor: BodyEditor | undefined
  /** Begins the request to the engine, with the length of its body where that is known. */
  readonly open: (length: 'as_told' | number | undefined) => ClientRequest
  readonly maxBytes: number
  readonly onTooLarge: () => void
}

/** Passes the body of a request on as fast as the engine takes it. The answer stops it. */
export const sendBody = (req: IncomingMessage, options: SendBodyOptions): (() => void) => {
  const { editor, open, maxBytes, onTooLarge } = options
  let bytes = 0
  req.on('data', (piece: Buffer) => {
    if ((bytes += piece.length) > maxBytes) onTooLarge()
  })
  if (editor) return sendEdited(req, editor, open)
  req.pipe(open('as_told'))
  return () => void req.unpipe()
}

const sendEdited = (
  req: IncomingMessage,
  editor: BodyEditor,
  open: SendBodyOptions['open'],
): (() => void) => {
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  let upstream: ClientRequest | undefined
  let isStopped = false

  const write = (engine: ClientRequest, pieces: readonly Buffer[]) => {
    let hasRoom = true
    for (const piece of pieces) hasRoom = engine.write(piece)
    if (hasRoom || req.isPaused()) return
    req.pause()
    engine.once('drain', () => req.resume())
  }
  const onData = (piece: Buffer) => {
    if (isStopped) return
    const pieces = editor.push(piece)
    if (upstream) return write(upstream, pieces)
    for (const each of pieces) gatheredBytes += each.length
    gathered.push(...pieces)
    if (gatheredBytes <= GATHER_MAX_BYTES) return
    upstream = open(undefined)
    write(upstream, gathered)
    gathered = []
  }
  const onEnd = () => {
    if (isStopped) return
    const last = editor.end()
    if (upstream) {
      write(upstream, last)
      upstream.end()
      return
    }
    const body = Buffer.concat([...gathered, ...last])
    open(body.length).end(body)
  }
  req.on('data', onData)
  req.once('end', onEnd)
  return () => {
    isStopped = true
    req.off('data', onData)
    req.off('end', onEnd)
  }
}
