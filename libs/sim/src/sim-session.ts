import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  SessionRequestSchema,
  SessionResponseSchema,
  type SessionRequest,
  type SessionResponse,
} from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { SessionStream } from '@berth/orchestrator-core'
import type { Link } from '@berth/orchestratord'
import { createMailbox } from './mailbox.ts'
import type { SimProcess } from './sim-process.ts'
import type { Accept, SimSockets } from './sim-sockets.ts'

/** The gateway's end of `SchedulerService.Session` over the simulated network. */
export const openSimLink = (sockets: SimSockets, process: SimProcess, address: string): Link => {
  const inbox = createMailbox<SessionResponse>()
  const socket = sockets.connect(process, address, {
    onBytes: (bytes) => inbox.push(fromBinary(SessionResponseSchema, bytes)),
    onClosed: () => inbox.fail(broken(address)),
  })
  return {
    messages: inbox,
    send: (message) => void socket.send(toBinary(SessionRequestSchema, message)),
    // The simulated network takes everything at once.
    bufferedMessages: 0,
    close: () => {
      socket.close()
      inbox.end()
    },
  }
}

/** Core's end: each connection becomes a stream for `serve`. */
export const acceptSessions =
  (serve: (stream: SessionStream) => Promise<void>): Accept =>
  (socket) => {
    const inbox = createMailbox<SessionRequest>()
    const send = (message: MessageInitShape<typeof SessionResponseSchema>) =>
      socket.send(toBinary(SessionResponseSchema, create(SessionResponseSchema, message)))
    const stream: SessionStream = {
      messages: inbox,
      send,
      bufferedMessages: 0,
      end: () => {
        socket.close()
        inbox.end()
      },
      destroy: (error) => {
        socket.close()
        inbox.fail(error)
      },
    }
    void serve(stream)
    return {
      onBytes: (bytes) => inbox.push(fromBinary(SessionRequestSchema, bytes)),
      onClosed: () => inbox.fail(broken(socket.peer)),
    }
  }

const broken = (peer: string) =>
  new BerthError('RPC_UNAVAILABLE', `The connection with ${peer} broke.`)
