import type { Ingress, IngressResponse } from '@berth/orchestratord'
import { decodeFrame, encodeFrame, type AnswerFrame } from './http-frames.ts'
import { createMailbox } from './mailbox.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimSockets } from './sim-sockets.ts'

/** The gateway's way to engines, over the simulated network. Same promises as the real one. */
export const createSimUpstream =
  (sockets: SimSockets, process: SimProcess): Ingress =>
  ({ address, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const chunks = createMailbox<Uint8Array>()
      let trailers: Readonly<Record<string, string>> = {}
      let isOver = false

      const finish = () => {
        isOver = true
        signal.removeEventListener('abort', onAbort)
        socket.close()
      }
      const cut = (error: Error) => {
        if (isOver) return
        finish()
        reject(error)
        chunks.fail(error)
      }
      const giveUp = (error: Error) => {
        cut(error)
        chunks.abandon(error)
      }
      const onAbort = () => giveUp(signal.reason as Error)
      const onFrame = (frame: AnswerFrame) => {
        switch (frame.kind) {
          case 'head':
            return resolve(responseOf(frame))
          case 'chunk':
            return chunks.push(new TextEncoder().encode(frame.text))
          case 'end':
            trailers = frame.trailers
            finish()
            return chunks.end()
        }
      }
      const responseOf = ({ status, headers: told }: Head): IngressResponse => ({
        status,
        headers: told,
        body: chunks,
        trailers: () => trailers,
        discard: () => giveUp(new Error('given up')),
      })
      if (signal.aborted) return reject(signal.reason as Error)
      const socket = sockets.connect(process, address, {
        onBytes: (bytes) => onFrame(decodeFrame<AnswerFrame>(bytes)),
        onClosed: () => cut(new Error('socket hang up')),
      })
      signal.addEventListener('abort', onAbort, { once: true })
      const text = new TextDecoder().decode(body)
      socket.send(encodeFrame({ kind: 'ask', path, headers, body: text }))
    })

type Head = Extract<AnswerFrame, { readonly kind: 'head' }>
