import { FleetService, SchedulerService } from '@berth/contract'
import { BerthError, type PoolId } from '@berth/kernel'
import { implement, type RpcService } from '@berth/rpc'
import type { Candidate, Decision } from '@berth/placement'
import type { Coordinator } from './coordinator.ts'
import { reportHost, reportModels, reportPool, reportStatus } from './fleet-report.ts'
import type { SessionServer } from './session-server.ts'
import { toJobSpec } from './wire-job.ts'
import { toUint32 } from './wire-signal.ts'

export interface RpcHandlerOptions {
  readonly coordinator: Coordinator
  readonly sessions: SessionServer
  readonly version: string
  /** Where gateways reach this core. Known once it listens. */
  address(): string
  isBusConnected(): boolean
}

/** The gRPC surface of core: thin over the coordinator and its view. */
export const createRpcServices = (options: RpcHandlerOptions): RpcService[] => [
  schedulerService(options),
  fleetService(options),
]

const schedulerService = ({ coordinator, sessions }: RpcHandlerOptions) =>
  implement(SchedulerService, {
    session: (stream, context) => sessions.accept(stream, context.log),
    explain: async ({ job }) => {
      const { decision, candidates } = coordinator.explain(toJobSpec(job))
      return { ...describeDecision(decision), candidates: candidates.map(describeCandidate) }
    },
    getDecision: async () => Promise.reject(notYet()),
    getSession: async () => Promise.reject(notYet()),
    endSession: async () => Promise.reject(notYet()),
  })

const notYet = () => new BerthError('UNSUPPORTED_OPERATION', 'not yet')

const fleetService = (options: RpcHandlerOptions) => {
  const { core } = options.coordinator
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
  })
}

const describeDecision = (decision: Decision) => {
  switch (decision.kind) {
    case 'assigned':
      return { decision: 'assigned', poolId: decision.pool.poolId }
    case 'wait': {
      const predictedStartMs = toUint32(decision.predictedStartMs)
      return { decision: 'wait', reason: decision.reason, predictedStartMs }
    }
    case 'impossible':
      return { decision: 'impossible', reason: decision.reason }
  }
}

const describeCandidate = (candidate: Candidate) => {
  const feasible = candidate.reason === 'FEASIBLE'
  return {
    ...candidate,
    feasible,
    reason: feasible ? '' : candidate.reason,
    predictedEndMs: toUint32(candidate.predictedEndMs),
  }
}

const byPoolId = (a: { readonly poolId: string }, b: { readonly poolId: string }): number =>
  a.poolId < b.poolId ? -1 : 1
