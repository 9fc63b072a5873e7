import type { Bus } from '@berth/bus'
import type { Clock } from '@berth/kernel'
import { serveStatus, type Logger, type Metrics, type Scope } from '@berth/runtime'
import { serveRpc } from '@berth/rpc'
import { poolManagerService } from './commands/pool-manager-service.ts'
import type { Host } from './host.ts'
import { createIngress, type Ingress } from './ingress/ingress.ts'
import type { AgentMetrics } from './metrics.ts'
import type { Settings } from './settings.ts'

export interface OpenPorts {
  readonly grpcPort: number
  readonly ingressPort: number
  readonly httpPort: number
}

export interface DoorSurroundings {
  readonly scope: Scope
  readonly host: Host
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AgentMetrics
  /** What `/metrics` shows. */
  readonly series: Metrics
}

/** How long a command under way may take to answer once the agent stops. */
const RPC_DRAIN_MS = 1_000

/** Opens the three doors of an agent: ingress, commands, and the operator's. */
export const openDoors = async (
  settings: Settings,
  surroundings: DoorSurroundings,
): Promise<{ readonly ports: OpenPorts; readonly ingress: Ingress }> => {
  const { scope, host, bus, clock, log, metrics, series } = surroundings
  const { maxBodyBytes, firstByteTimeoutMs } = settings
  const ingress = scope.use(
    await createIngress({
      host: settings.ingressHost,
      port: settings.ingressPort,
      door: host,
      clock,
      log,
      metrics,
      maxBodyBytes,
      firstByteTimeoutMs,
    }),
  )
  const rpc = scope.use(
    await serveRpc({
      host: settings.grpcHost,
      port: settings.grpcPort,
      log,
      drainTimeoutMs: RPC_DRAIN_MS,
      services: [
        poolManagerService({
          ...host,
          clock,
          takeSnapshot: () => host.publisher.take(),
        }),
      ],
    }),
  )
  host.advertise({
    grpc: settings.advertiseGrpc ?? `${settings.grpcHost}:${rpc.port}`,
    ingress: settings.advertiseIngress ?? `${settings.ingressHost}:${ingress.port}`,
  })
  const status = scope.use(
    await serveStatus({
      host: settings.httpHost,
      port: settings.httpPort,
      metrics: series,
      log,
      ready: () => readiness(host, bus),
    }),
  )
  return {
    ingress,
    ports: { grpcPort: rpc.port, ingressPort: ingress.port, httpPort: status.port },
  }
}

/** The agent is ready when it can be heard; pools say for themselves whether they are. */
const readiness = (host: Host, bus: Bus) => ({
  ready: bus.isConnected,
  facts: {
    host: host.hostId,
    epoch: host.epoch,
    nats: bus.isConnected ? 'connected' : 'disconnected',
    pools: Object.fromEntries(
      [...host.pools.values()].map(({ spec, supervised }) => [spec.poolId, supervised.state.kind]),
    ),
  },
})
