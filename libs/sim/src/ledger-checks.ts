import type { Core } from '@berth/orchestrator-core'
import { SIM_KEYS } from './sim-books.ts'
import type { SimFleet } from './sim-fleet.ts'
import type { SimWorld } from './sim-world.ts'

/** What must agree inside the ledger of one core at every moment. */
export const ledgerProblems = ({ ledger, queue, gateways }: Readonly<Core>): string[] => {
  const problems: string[] = []
  const open = [...ledger.byJob.values(), ...ledger.byLease.values()]
  for (const [keyId, account] of ledger.keys) {
    const { spent, reserved } = account
    for (const [kind, amount] of [...Object.entries(spent), ...Object.entries(reserved)]) {
      if (!Number.isSafeInteger(amount) || amount < 0) problems.push(`${keyId}: ${kind} ${amount}`)
    }
    const held = open.filter(({ charge }) => charge.accounts.includes(account))
    const sum = held.reduce((all, { charge }) => all + charge.reserved.tokens, 0)
    if (sum !== reserved.tokens) {
      problems.push(`${keyId} has ${reserved.tokens} tokens set aside, its jobs ${sum}`)
    }
  }
  for (const jobId of ledger.byJob.keys()) {
    if (!queue.jobs.has(jobId)) problems.push(`${jobId} is charged and does not wait`)
  }
  for (const [leaseId, { gatewayId }] of ledger.byLease) {
    if (!gateways.has(gatewayId)) problems.push(`${leaseId} is charged, its gateway is forgotten`)
  }
  return problems
}

/** What a ledger at rest still has to do. */
export const ledgerUnrest = ({ ledger, gateways }: Readonly<Core>): string[] => [
  ...(ledger.state === 'loaded' ? [] : [`the ledger is ${ledger.state}`]),
  ...(ledger.rereadAtMs === undefined ? [] : ['the ledger is not read for the second time']),
  ...(ledger.byJob.size + ledger.byLease.size > 0
    ? [`${ledger.byJob.size} jobs and ${ledger.byLease.size} leases are charged`]
    : []),
  ...(ledger.held.size > 0 ? [`${ledger.held.size} jobs wait for the ledger`] : []),
  ...(ledger.dirty.size > 0 || ledger.storing ? ['the ledger is not stored'] : []),
  ...[...gateways.values()].flatMap(({ gatewayId, sequence, settledTo }) =>
    settledTo < sequence ? [`${gatewayId} was told ${settledTo} of ${sequence} releases`] : [],
  ),
]

/**
 * A fleet at rest has charged each key for what it used, once, and never beyond its limit while
 * its leaders could store.
 */
export const chargeProblems = ({ cores, world }: SimFleet): string[] => {
  const leader = cores
    .flatMap(({ service }) => service?.core.coordinator.core ?? [])
    .find(({ role }) => role.kind === 'leader')
  return Object.entries(SIM_KEYS).flatMap(([keyId, { tokensPerDay }]) => {
    const { living, all } = world.books.usedBy(keyId)
    const charged = leader?.ledger.keys.get(keyId)?.spent.tokens ?? 0
    const stored = storedTokens(world, keyId)
    return [
      ...(charged >= living && charged <= all
        ? []
        : [`${keyId} is charged ${charged} tokens: its gateways saw ${living} to ${all}`]),
      ...(stored === charged
        ? []
        : [`${keyId} is charged ${charged} tokens, ${stored} are stored`]),
      ...(charged <= tokensPerDay || world.books.isBlind
        ? []
        : [`${keyId} is charged ${charged} of ${tokensPerDay}`]),
    ]
  })
}

const storedTokens = ({ bus }: SimWorld, keyId: string): number => {
  const entry = bus
    .bucket({ name: 'berth_budgets' })
    .entries()
    .find(({ key }) => key === `key.${keyId}`)
  if (!entry) return 0
  const { spent } = JSON.parse(new TextDecoder().decode(entry.value)) as {
    readonly spent: { readonly tokens: number }
  }
  return spent.tokens
}
