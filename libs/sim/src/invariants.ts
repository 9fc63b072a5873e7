import { freshnessOf } from '@berth/fleet'
import type { Core, CoreEvent, OrchestratorCore } from '@berth/orchestrator-core'
import type { Host } from '@berth/pool-managerd'
import { ledgerProblems } from './ledger-checks.ts'
import type { FleetWatch, SimFleet } from './sim-fleet.ts'

/** What must hold at every moment of a run, whatever fails. */
export interface Invariants extends FleetWatch {
  /** Looks at the state of the whole fleet. */
  check(fleet: SimFleet): void
}

const QUEUE_BOUND = 20_000

/** Tells `violate` of every rule that is broken. */
export const createInvariants = (violate: (what: string) => void): Invariants => {
  const usedLeases = new Set<string>()
  const grantedLeases = new Set<string>()
  const leaderOfTerm = new Map<number, string>()
  const termOfAgentLife = new Map<string, number>()
  let highestTerm = 0

  const onLeading = (core: OrchestratorCore, term: number) => {
    if (leaderOfTerm.has(term)) violate(`term ${term} was won twice`)
    if (term <= highestTerm) violate(`term ${term} was won after term ${highestTerm}`)
    leaderOfTerm.set(term, core.coreId)
    highestTerm = Math.max(highestTerm, term)
  }
  /** What an agent obeys never goes back: two leaders are never both obeyed. */
  const onTerm = ({ hostId, epoch }: Host, term: number) => {
    const life = `${hostId} ${epoch}`
    const before = termOfAgentLife.get(life) ?? 0
    if (term < before) violate(`${life} obeyed term ${term} after ${before}`)
    termOfAgentLife.set(life, Math.max(before, term))
  }
  return {
    onCoreEvent: (core, event) => {
      if (event.kind === 'leading') onLeading(core, event.term)
      if (event.kind !== 'job_ended' || event.outcome !== 'dispatched') return
      const leaseId = String(event.leaseId)
      if (grantedLeases.has(leaseId)) violate(`lease ${leaseId} was granted twice`)
      grantedLeases.add(leaseId)
      for (const what of grantProblems(core.coordinator.core, event)) violate(what)
    },
    onTaken: (host, { leaseId, term, engine }) => {
      if (usedLeases.has(leaseId)) violate(`lease ${leaseId} was used twice`)
      usedLeases.add(leaseId)
      const { active, options } = engine
      if (active > options.slots) {
        violate(`engine of ${options.poolId} runs ${active} requests in ${options.slots} slots`)
      }
      onTerm(host, term)
    },
    check: (fleet) => {
      for (const { service } of fleet.cores) {
        if (!service) continue
        const { core } = service.core.coordinator
        for (const what of stateProblems(core)) violate(what)
        if (core.role.kind === 'leader' && core.ledger.isStoreDown) fleet.world.books.isBlind = true
      }
      for (const { seat, machine } of fleet.hosts) {
        const { host } = seat.service ?? {}
        if (host) onTerm(host, host.authority.term)
        if (machine.usedBytes > machine.memoryBytes) violate(`${seat.node.name}: memory`)
        for (const { active, options } of machine.engines) {
          if (active > options.slots) violate(`${options.poolId}: ${active} in ${options.slots}`)
        }
      }
    },
  }
}

type Dispatched = Extract<CoreEvent, { readonly kind: 'job_ended' }>

/** What the view of core itself says against a grant it just made. */
const grantProblems = (core: Readonly<Core>, { job, poolId, leaseId }: Dispatched): string[] => {
  const pool = poolId && core.view.pools.get(poolId)
  if (!pool) return [`lease ${leaseId} is for pool ${poolId}, which core does not know`]
  const { snapshot, host, reserved } = pool
  const now = core.clock.now()
  const freshness = freshnessOf(core.view, host, core.policy.placement.freshness, now)
  const model = pool.residencies.get(job.modelId)
  const rules: readonly (readonly [boolean, string])[] = [
    [core.role.kind === 'leader', 'its core does not lead'],
    [snapshot.state === 'ready' && snapshot.isReady, `the pool is ${snapshot.state}`],
    [!snapshot.isDraining && !host.snapshot.isDraining, 'the pool drains'],
    [host.isKeyed, 'the host is not keyed'],
    [freshness === 'fresh', 'the host is stale'],
    [model?.residency === 'resident', `the model is ${model?.residency}`],
    [reserved <= snapshot.slotsTotal, `${reserved} of ${snapshot.slotsTotal} slots are granted`],
  ]
  return rules.flatMap(([holds, what]) => (holds ? [] : [`lease ${leaseId} on ${poolId}: ${what}`]))
}

/** What must agree inside one core. */
const stateProblems = (core: Readonly<Core>): string[] => {
  const problems: string[] = []
  const counted = new Set([...core.leases.byPool.keys(), ...core.view.reservations.keys()])
  for (const poolId of counted) {
    const leases = core.leases.byPool.get(poolId)?.size ?? 0
    const reserved = core.view.reservations.get(poolId) ?? 0
    if (leases !== reserved) problems.push(`${poolId}: ${leases} leases hold ${reserved} slots`)
  }
  const waiting = [...core.gateways.values()].reduce((sum, gateway) => sum + gateway.waiting, 0)
  if (waiting !== core.queue.jobs.size) {
    problems.push(`${core.queue.jobs.size} jobs wait, their gateways count ${waiting}`)
  }
  if (core.queue.jobs.size > QUEUE_BOUND) problems.push(`${core.queue.jobs.size} jobs wait`)
  for (const lease of core.leases.byId.values()) {
    if (lease.gatewayId === undefined && lease.expiresAtMs === undefined) {
      problems.push(`lease ${lease.leaseId} has no gateway and no end`)
    }
  }
  return [...problems, ...ledgerProblems(core)]
}
