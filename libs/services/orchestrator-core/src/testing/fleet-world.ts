import type { HostId, JobId, PoolId } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import type { CoreEvent } from '../core-event.ts'
import type { SessionSignal } from '../session-signal.ts'
import { createMemoryLedger } from './memory-ledger.ts'
import { createRig, pool, type Rig } from './rig.ts'
import { createGateway, createGatewayActs } from './world-gateway.ts'

interface WorldPool {
  readonly poolId: PoolId
  slotsTotal: number
  instance: number
  isDraining: boolean
}

interface WorldHost {
  readonly hostId: HostId
  revision: number
  readonly pools: readonly WorldPool[]
}

export type FleetWorld = ReturnType<typeof createFleetWorld>

/** Short enough that waits and orphans end within a run; a budget of six jobs. */
const POLICY = {
  leaseTtlMs: 3_000,
  maxWaitMs: { interactive: 5_000, batch: 5_000 },
  maxOutstanding: 5,
}
const TOKENS_PER_DAY = 90

/**
 * Two gateways, three pools on two hosts, and one leader after the other on one clock and store.
 * `onEvent` sees each event of a leader while its state is as it was when it happened.
 */
export const createFleetWorld = (onEvent: (event: CoreEvent, rig: Rig) => void) => {
  const [clock, store] = [createSimClock(), createMemoryLedger()]
  const hosts = [createHost('h1', 'p1', 'p2'), createHost('h2', 'p3')]
  const gateways = ['gwa', 'gwb'].map(createGateway)
  const trace: SessionSignal[] = []
  /** How often each job was asked for, less how often it ended, with the present leader. */
  const open = new Map<JobId, number>()
  let term = 0

  const count = (jobId: JobId, by: number) => open.set(jobId, (open.get(jobId) ?? 0) + by)
  const unbalanced = () => [...open].filter(([, balance]) => balance !== 0)
  const begin = (): Rig => {
    term += 1
    const observe = (event: CoreEvent) => {
      if (event.kind === 'job_ended') count(event.job.jobId, -1)
      onEvent(event, next)
    }
    const budgetOfKey = () => ({ tokensPerDay: TOKENS_PER_DAY })
    const next: Rig = createRig(POLICY, false, observe, { clock, store, seed: term, budgetOfKey })
    next.coordinator.onLeading(term)
    return next
  }
  let rig = begin()
  const publish = ({ hostId, pools, revision }: WorldHost) => {
    const leases = gateways.flatMap((gateway) => [...gateway.leases.values()])
    const snapshots = pools.map(({ poolId, instance, ...facts }) => {
      const leaseIds = leases.flatMap((one) => (one.poolId === poolId ? [one.leaseId] : []))
      return pool(poolId, { instanceId: `${poolId}-${instance}`, leaseIds, ...facts })
    })
    rig.joinHost(hostId, snapshots, { revision })
  }
  const acts = createGatewayActs({
    ...{ clock, trace, rig: () => rig, term: () => term },
    onAsked: (jobId) => count(jobId, 1),
  })
  hosts.forEach(publish)
  gateways.forEach(acts.connect)
  return {
    ...acts,
    ...{ hosts, gateways, trace },
    rig: () => rig,
    /** Jobs the present leader has not ended as often as they were asked for, or more often. */
    unbalanced,
    change: (host: WorldHost, changed: WorldPool, facts: Partial<WorldPool>) => {
      Object.assign(changed, facts)
      host.revision += 1
      publish(host)
    },
    /**
     * The leader stops; the next knows the hosts and the store, and waits for the gateways. Returns
     * what was unbalanced when it stopped.
     */
    failOver: () => {
      rig.coordinator.onFollowing(term + 1, '')
      for (const gateway of gateways) gateway.key = undefined
      const left = unbalanced()
      open.clear()
      rig = begin()
      hosts.forEach(publish)
      return left
    },
    pass: (ms: number) => rig.pass(ms, 'h1', 'h2'),
  }
}

const createHost = (hostId: string, ...poolIds: readonly string[]): WorldHost => ({
  ...{ hostId: hostId as HostId, revision: 1 },
  pools: poolIds.map((poolId) => ({
    ...{ poolId: poolId as PoolId, slotsTotal: 1, instance: 1, isDraining: false },
  })),
})
