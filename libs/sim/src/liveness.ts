import type { OrchestratorCore } from '@berth/orchestrator-core'
import { ledgerUnrest } from './ledger-checks.ts'
import type { SimFleet } from './sim-fleet.ts'

/** What still keeps a healthy fleet from being at rest: none once it has converged. */
export const unrest = (fleet: SimFleet): string[] => {
  const up = fleet.cores.flatMap(({ service }) => service?.core ?? [])
  const leaders = up.filter(({ coordinator }) => coordinator.core.role.kind === 'leader')
  return [
    ...fleet.seats.flatMap(({ node, phase }) =>
      phase === 'up' ? [] : [`${node.name} is ${phase}`],
    ),
    ...(leaders.length === 1 ? [] : [`${leaders.length} cores lead`]),
    ...up.flatMap((core) => viewProblems(fleet, core)),
    ...leaders.flatMap(idleProblems),
    ...leaders.flatMap(({ coordinator }) => ledgerUnrest(coordinator.core)),
    ...fleet.gateways.flatMap(({ node, service }) =>
      service?.session.state.kind === 'down' ? [`${node.name} has no session`] : [],
    ),
    ...fleet.hosts.flatMap(({ machine, seat }) => [
      ...machine.engines.flatMap(({ active, options }) =>
        active > 0 ? [`${active} requests run in ${options.poolId}`] : [],
      ),
      ...[...(seat.service?.host.pools.values() ?? [])].flatMap(({ spec, slots, supervised }) => [
        ...(slots.active > 0 ? [`${slots.active} slots of ${spec.poolId} are taken`] : []),
        ...(supervised.state.kind === 'ready'
          ? []
          : [`${spec.poolId} is ${supervised.state.kind}`]),
      ]),
    ]),
    ...leftovers(fleet),
    ...fleet.clients.flatMap(({ end, job }) => (end ? [] : [`${job.jobId} has no outcome`])),
  ]
}

/** What restarts must not pile up: connections, and engines on the books that are no more. */
const leftovers = ({ hosts, gateways, world }: SimFleet): string[] => {
  const { open } = world.sockets
  return [
    // Both ends of one session for each gateway.
    ...(open > 2 * gateways.length ? [`${open} ends of connections are open`] : []),
    ...hosts.flatMap(({ machine, seat }) =>
      machine.journal.size > machine.engines.length
        ? [`${seat.node.name} has ${machine.journal.size} engines on its books`]
        : [],
    ),
  ]
}

/** Where the view of a core, leader or standby, is not the truth. */
const viewProblems = (fleet: SimFleet, { coordinator }: OrchestratorCore): string[] => {
  const { view, coreId } = coordinator.core
  const problems: string[] = []
  for (const { seat } of fleet.hosts) {
    const host = seat.service?.host
    const seen = [...view.hosts.values()].find(({ hostId }) => hostId === seat.node.name)
    if (!host || !seen || seen.snapshot.epoch !== host.epoch) {
      problems.push(`${coreId} does not see ${seat.node.name} as it is`)
      continue
    }
    for (const pool of host.pools.values()) {
      const { poolId } = pool.spec
      const snapshot = [...seen.pools.values()].find((one) => one.poolId === poolId)?.snapshot
      const { state } = pool.supervised
      const isSame =
        snapshot?.state === state.kind &&
        snapshot.instanceId === pool.instance?.instanceId &&
        snapshot.slotsTotal === pool.slots.total
      if (!isSame) problems.push(`${coreId} sees ${poolId} as ${snapshot?.state}: ${state.kind}`)
    }
  }
  if (view.hosts.size !== fleet.hosts.length) problems.push(`${coreId} sees ${view.hosts.size}`)
  return problems
}

const idleProblems = ({ coordinator }: OrchestratorCore): string[] => {
  const { queue, leases, view, gateways, sessions, met } = coordinator.core
  return [
    ...(queue.jobs.size > 0 ? [`${queue.jobs.size} jobs wait`] : []),
    ...(queue.models.size > 0 ? [`${queue.models.size} models are waited for`] : []),
    ...(gateways.size > sessions.size
      ? [`${gateways.size} gateways, ${sessions.size} sessions`]
      : []),
    ...(met.size > view.hosts.size ? [`${met.size} hosts were met`] : []),
    ...(leases.byId.size > 0 ? [`${leases.byId.size} leases are held`] : []),
    ...[...view.hosts.values()].flatMap(({ hostId, isKeyed }) =>
      isKeyed ? [] : [`${hostId} has no key`],
    ),
  ]
}
