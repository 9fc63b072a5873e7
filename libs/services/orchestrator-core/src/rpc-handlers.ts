import { CatalogService, CatalogState, FleetService, SchedulerService } from '@berth/contract'
import { BerthError, type PoolId } from '@berth/kernel'
import { implement, type RpcService } from '@berth/rpc'
import type { CatalogGate } from './catalog-gate.ts'
import { verifyCatalogModel } from './catalog-verify.ts'
import type { Catalog } from './catalog.ts'
import type { Coordinator } from './coordinator.ts'
import type { Core } from './core-state.ts'
import { DECISIONS_MAX } from './decision-log.ts'
import { reportHost, reportModels, reportPool, reportStatus } from './fleet-report.ts'
import type { HostModels } from './host-models.ts'
import type { PoolCommands } from './pool-commands.ts'
import type { SessionServer } from './session-server.ts'
import { toJobSpec } from './wire-job.ts'
import { fromDecisionEntry, fromExplanation } from './wire-explanation.ts'
import { assertRead, reportSession } from './wire-session.ts'

export interface RpcHandlerOptions {
  readonly coordinator: Coordinator
  readonly sessions: SessionServer
  readonly pools: PoolCommands
  readonly models: HostModels
  readonly catalog: Catalog
  readonly gate: CatalogGate
  readonly version: string
  /** Where gateways reach this core. Known once it listens. */
  address(): string
  isBusConnected(): boolean
}

/** The gRPC surface of core: thin over the coordinator and its view. */
export const createRpcServices = (options: RpcHandlerOptions): RpcService[] => [
  schedulerService(options),
  fleetService(options),
  catalogService(options),
]

const schedulerService = ({ coordinator, sessions }: RpcHandlerOptions) =>
  implement(SchedulerService, {
    session: (stream, context) => sessions.accept(stream, context.log),
    explain: async ({ job }) => {
      assertLeading(coordinator.core)
      return fromExplanation(coordinator.explain(toJobSpec(job)))
    },
    getDecision: async ({ jobId, correlationId }) => {
      assertLeading(coordinator.core)
      const { decisions } = coordinator.core
      const entry = decisions.ofJob(jobId) ?? decisions.ofCorrelation(correlationId)
      if (!entry) throw notRemembered(jobId || correlationId)
      return fromDecisionEntry(entry)
    },
    getSession: async (name) => {
      assertLeading(coordinator.core)
      return reportSession(coordinator.core, name)
    },
    endSession: async (name) => {
      assertLeading(coordinator.core)
      // What is not read yet would come back after it.
      assertRead(coordinator.core)
      coordinator.endSession(name)
      return {}
    },
  })

/** Leases are the leader's: what another core would say of free slots is wrong. */
const assertLeading = ({ role }: Readonly<Core>): void => {
  if (role.kind === 'leader') return
  const where = role.address === '' ? 'the one that does' : role.address
  throw new BerthError('NOT_LEADER', `This core does not lead; ask ${where}.`, {
    facts: { leader_address: role.address },
  })
}

const notRemembered = (id: string) =>
  new BerthError(
    'DECISION_NOT_FOUND',
    `No decision of ${id.slice(0, 80)} is remembered: the last ${DECISIONS_MAX} jobs are, ` +
      'by the core that leads.',
  )

const fleetService = (options: RpcHandlerOptions) => {
  const { core } = options.coordinator
  const { pools, models, gate } = options
  return implement(FleetService, {
    listPools: async () => ({
      pools: [...core.view.pools.values()].sort(byPoolId).map((pool) => reportPool(core, pool)),
    }),
    getPool: async ({ poolId }) => {
      const pool = core.view.pools.get(poolId as PoolId)
      if (!pool) throw new BerthError('POOL_NOT_FOUND', `There is no pool ${poolId.slice(0, 80)}.`)
      return { pool: reportPool(core, pool) }
    },
    listHosts: async () => ({
      hosts: [...core.view.hosts.values()]
        .sort((a, b) => (a.hostId < b.hostId ? -1 : 1))
        .map((host) => reportHost(core, host)),
    }),
    listModels: async () => ({ models: reportModels(core) }),
    getFleetStatus: async () =>
      reportStatus(core, {
        address: options.address(),
        isBusConnected: options.isBusConnected(),
        version: options.version,
      }),
    commandPool: async (request, context) => {
      assertLeading(core)
      await gate.admitToPool(request)
      return { operation: await pools.command(request, context) }
    },
    listPoolOperations: ({ poolId }, context) => pools.list(poolId, context),
    getPoolOperation: async ({ operationId }, context) => ({
      operation: await pools.get(operationId, context),
    }),
    watchPoolOperation: async function* ({ operationId }, context) {
      for await (const operation of pools.watch(operationId, context)) yield { operation }
    },
    tailPoolLog: async function* (request, context) {
      for await (const { lines } of pools.tailLog(request, context)) yield { lines }
    },
    listModelFiles: ({ hostId }, context) => models.list(hostId, context),
    commandHost: async (request, context) => {
      assertLeading(core)
      return models.command(await gate.admitToHost(request), context)
    },
    fitModel: (request, context) => models.fit(request, context),
  })
}

const catalogService = (options: RpcHandlerOptions) => {
  const { catalog } = options
  const { core } = options.coordinator
  return implement(CatalogService, {
    putCatalogModel: async (draft) => {
      assertLeading(core)
      return { model: await catalog.put(draft) }
    },
    listCatalogModels: async ({ modelId }) => ({
      models: modelId === '' ? await catalog.list() : [await catalog.get(modelId)],
    }),
    removeCatalogModel: async ({ modelId }) => {
      assertLeading(core)
      await catalog.remove(modelId)
      return {}
    },
    verifyCatalogModel: async ({ modelId }, context) => {
      assertLeading(core)
      return { model: await verifyCatalogModel(options, modelId, context) }
    },
    setCatalogModelState: async ({ modelId, state }) => {
      assertLeading(core)
      if (state !== CatalogState.ACTIVE && state !== CatalogState.RETIRED)
        throw new BerthError('INVALID_PARAMS', 'state: expected active or retired.')
      return { model: await catalog.setState(modelId, state) }
    },
  })
}

const byPoolId = (a: { readonly poolId: string }, b: { readonly poolId: string }): number =>
  a.poolId < b.poolId ? -1 : 1
