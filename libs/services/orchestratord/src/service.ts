import { setImmediate } from 'node:timers'
import { BerthError, randomUuid, sleep, type Clock, type Rng } from '@berth/kernel'
import { createMetrics, type Logger, type Scope } from '@berth/runtime'
import { createCatalogClient } from './catalog-client.ts'
import type { GatewayConfig } from './config.ts'
import type { CoreAddresses } from './core-clients.ts'
import { createFleetClient } from './fleet-client.ts'
import { createGatewayMetrics } from './gateway-metrics.ts'
import { openGrpcLink } from './grpc-link.ts'
import { createApp } from './http/app.ts'
import type { HttpCaller } from './http/http-caller.ts'
import { serveHttp } from './http/http-server.ts'
import { createBodyReader } from './http/read-body.ts'
import { openAccess } from './open-access.ts'
import { createModelFilesClient } from './model-files-client.ts'
import { createPoolCommandsClient } from './pool-commands-client.ts'
import { createPlacementClient } from './placement-client.ts'
import { createSessionClient } from './session-client.ts'
import { createSessionsClient } from './sessions-client.ts'
import { createUndiciIngress } from './undici-ingress.ts'

/** Source: architecture, the session between gateway and core. */
const MAX_WAITING = 20_000
/** For requests that were cut off to end their leases. */
const RELEASE_MS = 1_000

/** The settings and the ports of one gateway. */
export interface OrchestratordOptions {
  readonly config: GatewayConfig
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

/**
 * Starts the gateway inside `scope` and resolves with its port. Throws `CONFIG_INVALID` or
 * `PORT_IN_USE`. It serves without a core too; requests then wait, and `/readyz` says so.
 */
export const startOrchestratord = async (
  scope: Scope,
  { config, clock, rng, log }: OrchestratordOptions,
): Promise<{ readonly httpPort: number }> => {
  const { keys, metricsNeed } = openAccess(scope, { config, clock, log })
  const registry = scope.use(createMetrics('orchestratord'))
  const metrics = createGatewayMetrics(registry)
  const ingress = scope.use(createUndiciIngress())
  const addresses = config.coreAddresses
  const session = scope.use(
    createSessionClient({
      gatewayId: `gw-${randomUuid(rng)}`,
      addresses,
      openLink: openGrpcLink,
      defer: (fn) => void setImmediate(fn),
      coreWaitMs: config.coreWaitMs,
      maxWaiting: MAX_WAITING,
      clock,
      rng,
      log,
      onState: metrics.onSession,
      onUnsettledDropped: metrics.onUnsettledDropped,
    }),
  )
  const leader = () => (session.state.kind === 'up' ? session.state.address : undefined)
  const clients = openClients(scope, { addresses, leader })
  const callers = new Set<HttpCaller>()
  scope.defer(() => whenNone(callers, clock))
  const app = createApp({
    session,
    ingress: ingress.send,
    ...clients,
    keys,
    metricsNeed,
    clock,
    rng,
    log,
    metrics,
    registry,
    callers,
    maxWaitMs: config.maxWaitMs,
    slowReaderMs: config.slowReaderMs,
    bodies: createBodyReader({ ...config, onBytes: metrics.onBodyBytes }),
    onRetry: metrics.onRetry,
    onAuthFailure: metrics.onAuthFailure,
    isDraining: () => scope.signal.aborted,
    stopping: scope.signal,
  })
  const server = scope.use(
    await serveHttp({
      host: config.httpHost,
      port: config.httpPort,
      app,
      clock,
      rng,
      drainTimeoutMs: config.drainTimeoutMs,
      cutOff: () => callers.forEach((caller) => caller.cutOff(stopping())),
    }),
  )
  return { httpPort: server.port }
}

/** Everything beside the session is asked of core on connections of its own. */
const openClients = (scope: Scope, cores: CoreAddresses) => ({
  fleet: scope.use(createFleetClient(cores)),
  sessions: scope.use(createSessionsClient(cores)),
  placement: scope.use(createPlacementClient(cores)),
  pools: scope.use(createPoolCommandsClient(cores)),
  modelFiles: scope.use(createModelFilesClient(cores)),
  catalog: scope.use(createCatalogClient(cores)),
})

/** What was cut off still releases its lease; the session must be there for that. */
const whenNone = async (callers: ReadonlySet<HttpCaller>, clock: Clock) => {
  const endsAtMs = clock.now() + RELEASE_MS
  while (callers.size > 0 && clock.now() < endsAtMs) await sleep(clock, 10)
}

const stopping = () =>
  new BerthError('WORKER_RESET', 'This gateway was stopped before the answer was complete.')
