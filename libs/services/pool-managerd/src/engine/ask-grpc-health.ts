import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '@berth/contract/grpc'
import { BerthError, messageOf, type Clock } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import type { ProbeResponse } from '@berth/supervision'
import type { AskProbe } from './ask-probe.ts'

const SERVING = 200
const NOT_SERVING = 503

const NAMES = new Map<ServingStatus, string>(
  Object.entries(ServingStatus).map(([name, status]) => [status, name]),
)

/**
 * The standard health check of gRPC, on a connection of its own: SERVING reads as an answer with
 * 200, any other status as 503.
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export const askGrpcHealth =
  (clock: Clock): AskProbe =>
  async (access, probe, signal) => {
    const { hostname, port } = new URL(access.baseUrl)
    const address = `${hostname}:${probe.port ?? port}`
    const startedAt = clock.now()
    using client = createClient(Health, { address, defaultDeadlineMs: probe.timeoutMs, clock })
    try {
      const { status } = await client.check({ service: probe.path }, { signal })
      const isServing = status === ServingStatus.SERVING
      return {
        kind: 'answer',
        status: isServing ? SERVING : NOT_SERVING,
        body: NAMES.get(status) ?? `status ${status}`,
        tookMs: clock.now() - startedAt,
      }
    } catch (error) {
      return noAnswer(error)
    }
  }

const noAnswer = (error: unknown): ProbeResponse =>
  error instanceof BerthError && error.reason === 'RPC_DEADLINE'
    ? { kind: 'timeout' }
    : { kind: 'refused', error: messageOf(error) }
