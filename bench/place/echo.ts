// The baseline: a server of the same stream that answers each Acquire with an Assigned of the same
// size, and decides nothing. Writes its port as one line.
import { SchedulerService, type ClientFrame, type ServerFrameSchema } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { implement, serveRpc } from '@berth/rpc'
import { createSilentLogger } from '@berth/runtime'
import type { MessageInitShape } from '@bufbuild/protobuf'

type Reply = Exclude<MessageInitShape<typeof ServerFrameSchema>, { readonly $typeName: string }>

const HEARTBEAT = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 5_000 }
/** As long as those of core. */
const TOKEN = 'x'.repeat(300)

const answer = ({ frame }: ClientFrame): Reply[] => {
  switch (frame.case) {
    case 'hello': {
      const welcome = { term: 1n, leaderId: 'echo', leaseTtlMs: 15_000, ...HEARTBEAT }
      return [{ frame: { case: 'welcome', value: { ...welcome, maxOutstanding: 100_000 } } }]
    }
    case 'acquire': {
      const { jobId } = frame.value
      const where = { poolId: 'pool-1', instanceId: 'pool-1-1', ingressAddress: 'host-1:7081' }
      const lease = { leaseId: jobId, token: TOKEN, epoch: 1n, term: 1n, engine: 'sim' }
      return [{ frame: { case: 'assigned', value: { jobId, ...where, ...lease } } }]
    }
    case 'release':
      return isHundredth(frame.value.sequence)
        ? [{ frame: { case: 'settled', value: { sequence: frame.value.sequence } } }]
        : []
    case 'heartbeat':
      return [{ frame: { case: 'heartbeat', value: { term: 1n } } }]
    default:
      return []
  }
}

const isHundredth = (sequence: bigint): boolean => sequence % 100n === 0n

const refuse = async () => {
  throw new BerthError('UNSUPPORTED_OPERATION', 'The echo only has sessions.')
}
const service = implement(SchedulerService, {
  session: async (stream) => {
    for await (const { frames } of stream.messages) {
      const replies = frames.flatMap(answer)
      if (replies.length > 0) stream.send({ frames: replies })
    }
  },
  explain: refuse,
  getDecision: refuse,
  getSession: refuse,
  endSession: refuse,
})
const log = createSilentLogger()
const server = await serveRpc({
  ...{ host: '127.0.0.1', port: 0, services: [service], log, drainTimeoutMs: 0 },
})
process.stdout.write(`${server.port}\n`)
