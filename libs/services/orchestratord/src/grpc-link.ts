import { SchedulerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import type { Link } from './session-link.ts'

/** A core that does not accept the stream in this time is not there. */
const OPEN_TIMEOUT_MS = 5_000

/** The real link: one gRPC stream on a connection of its own, closed with it. */
export const openGrpcLink = (address: string): Link => {
  const client = createClient(SchedulerService, { address, defaultDeadlineMs: OPEN_TIMEOUT_MS })
  const stream = client.session()
  return {
    messages: stream.messages,
    send: (message) => void stream.send(message),
    get bufferedMessages() {
      return stream.bufferedMessages
    },
    end: () => stream.end(),
    close: () => {
      stream.destroy(new BerthError('CANCELLED', 'The gateway left the session.'))
      client[Symbol.dispose]()
    },
  }
}
