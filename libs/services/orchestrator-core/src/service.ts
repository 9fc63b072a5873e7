import { create } from '@bufbuild/protobuf'
import { BUCKETS, subjects, type Bus } from '@berth/bus'
import { EventSchema } from '@berth/contract'
import { every, randomUuid, sleep, type Clock, type Rng } from '@berth/kernel'
import type { RpcLog, RpcService } from '@berth/rpc'
import type { Metrics, Readiness } from '@berth/runtime'
import { createCatalogGate } from './catalog-gate.ts'
import { createCatalog } from './catalog.ts'
import type { CoreConfig } from './config.ts'
import { createCoordinator, type Coordinator } from './coordinator.ts'
import type { CorePolicy } from './core-state.ts'
import type { CoreEvent } from './core-event.ts'
import { createReporter } from './events.ts'
import { followConfig, type ConfigEvents } from './follow-config.ts'
import { toPolicy } from './policy-config.ts'
import { startFeed } from './feed.ts'
import { registerGauges } from './gauges.ts'
import { createRpcHostReader, startHostProbes, type ReadHost } from './host-probes.ts'
import { createHostModels } from './host-models.ts'
import { createKeyRing, installKeyByRpc, type InstallKey } from './key-delivery.ts'
import { startLeader, type Leader } from './leader.ts'
import type { KeyBudget } from './ledger.ts'
import { createLedgerStore, type LedgerStore } from './ledger-store.ts'
import { createAgentClients, type AgentClients } from './agent-clients.ts'
import { createPoolCommands } from './pool-commands.ts'
import { createRpcServices } from './rpc-handlers.ts'
import { createSeries } from './series.ts'
import { startByRpc } from './start-pool.ts'
import { createSessionServer, type SessionServer } from './session-server.ts'
import type { SessionTerms } from './wire-signal.ts'

const TICK_MS = 200
const HEARTBEAT_INTERVAL_MS = 1_000
const HEARTBEAT_TIMEOUT_MS = 5_000
const RENEW_MS = 500
const MAX_BUFFERED = 5_000
const STORE_REST_MS = 1_000
const STORE_POLL_MS = 20

/** The ports of a core. Nothing here is touched before `start`. */
export interface OrchestratorCoreDeps {
  readonly config: CoreConfig
  readonly version: string
  readonly clock: Clock
  readonly rng: Rng
  readonly bus: Bus
  readonly metrics: Metrics
  readonly log: RpcLog
  /** How an agent gets its key. Default: gRPC to the address its snapshot advertises. */
  readonly installKey?: InstallKey
  /**
   * How an agent is asked for its snapshot while the bus is down. Default: gRPC; nobody is asked
   * where `installKey` replaces that way to the agents and this does not.
   */
  readonly readHost?: ReadHost
  /** What may be spent of each key, as the key file says now. Absent: there are no keys. */
  readonly budgetOfKey?: (keyId: string) => KeyBudget | undefined
  /** Told of each event of the coordinator as it happens. */
  readonly observe?: (event: CoreEvent) => void
}

/** The placement service: one of them leads, the others stand by with the same view. */
export interface OrchestratorCore extends AsyncDisposable {
  readonly coreId: string
  readonly services: readonly RpcService[]
  readonly sessions: SessionServer
  readonly coordinator: Coordinator
  /** For whoever watches the settings: what can change while core runs, does. */
  readonly config: ConfigEvents
  /** Begins to listen to the bus and to compete for leadership, as `address`. */
  start(address: string): Promise<void>
  /** Ready once it knows who leads. */
  ready(): Readiness
}

/** Wires the coordinator to its edges. Disposing gives the leadership back first. */
export const createOrchestratorCore = (deps: OrchestratorCoreDeps): OrchestratorCore => {
  const { config, clock, rng, bus, metrics, log } = deps
  const coreId = `core-${randomUuid(rng)}`
  const ends = new AsyncDisposableStack()
  let address = ''
  let leader: Leader | undefined
  let ledger: LedgerStore | undefined

  const sessions = createSessionServer({
    clock,
    terms: toTerms(toPolicy(config)),
    maxBuffered: MAX_BUFFERED,
    coordinator: () => coordinator,
  })
  const keys = createKeyRing({
    ...{ clock, rng, log, coreId },
    ...(config.leaseMasterKey ? { master: config.leaseMasterKey } : {}),
    install: deps.installKey ?? installKeyByRpc,
    onKeyed: (hostId, epoch, term) => coordinator.onHostKeyed(hostId, epoch, term),
    onStaleTerm: (seenTerm) => leader?.resign(seenTerm),
  })
  const agents = ends.use(createAgentClients())
  const series = createSeries(metrics)
  const reporter = createReporter({ series, log, view: () => coordinator.core.view })
  const report = (event: CoreEvent) => {
    reporter(event)
    deps.observe?.(event)
    if (event.kind === 'leading') announce(deps, coreId, address, event.term)
  }
  const coordinator: Coordinator = createCoordinator({
    ...{ coreId, clock, rng, policy: toPolicy(config) },
    effects: {
      ...{ send: sessions.send, close: sessions.close },
      installKey: keys.deliver,
      ...{ forgetHost: keys.forget, mintToken: keys.mint },
      resign: (seenTerm) => leader?.resign(seenTerm),
      report,
      startPool: (pool) => void startByRpc(pool, { agents, log, term: coordinator.core.role.term }),
      loadLedger: (term) => ledger?.load(term),
      saveLedger: (round, writes) => ledger?.save(round, writes),
    },
    ...(deps.budgetOfKey ? { budgetOfKey: deps.budgetOfKey } : {}),
  })
  registerGauges(metrics, coordinator.core)
  const services = createRpcServices({
    ...{ coordinator, sessions, version: deps.version },
    ...commandsOf(deps, coordinator, agents),
    address: () => address,
    isBusConnected: () => bus.isConnected,
  })

  return {
    ...{ coreId, services, sessions, coordinator },
    config: followConfig(coordinator, series, log),
    start: async (advertised) => {
      address = advertised
      ends.use(sessions)
      ends.use(keys)
      ends.defer(every(clock, TICK_MS, () => coordinator.onTick()))
      ends.use(startFeed(bus, coordinator, log))
      probeWhileBusIsDown(deps, coordinator, ends)
      ledger = ends.use(await openLedgerStore(deps, coordinator))
      leader = ends.use(await openContest(deps, coordinator, { coreId, address }))
      // What is not stored when it gives back the lead is only known to gateways.
      ends.defer(() => storeRest(coordinator, clock))
    },
    ready: () => readiness(coordinator, bus),
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  }
}

const commandsOf = (
  { bus, clock, log, config }: OrchestratorCoreDeps,
  { core }: Coordinator,
  agents: AgentClients,
) => {
  const { allowedSources } = config.catalog
  const catalog = createCatalog({ bus, clock, log, allowedSources })
  return {
    pools: createPoolCommands(core, agents),
    models: createHostModels(core, agents),
    catalog,
    gate: createCatalogGate(catalog),
  }
}

const openContest = async (
  { bus, clock, log }: OrchestratorCoreDeps,
  events: Coordinator,
  self: { readonly coreId: string; readonly address: string },
): Promise<Leader> =>
  startLeader({
    kv: await bus.openKv(BUCKETS.leader),
    terms: await bus.openKv(BUCKETS.terms),
    ...{ clock, log, ...self, events },
    ttlMs: BUCKETS.leader.ttlMs,
    renewMs: RENEW_MS,
  })

const openLedgerStore = async ({ bus, clock, log }: OrchestratorCoreDeps, events: Coordinator) =>
  createLedgerStore({
    kvs: {
      budgets: await bus.openKv(BUCKETS.budgets),
      sessions: await bus.openKv(BUCKETS.sessions),
    },
    ...{ clock, log },
    onLoaded: events.onLedgerLoaded,
    onSaved: events.onLedgerSaved,
  })

/** Stores what is left to store, for as long as a stop may wait for it. */
const storeRest = async (coordinator: Coordinator, clock: Clock) => {
  const endsAtMs = clock.now() + STORE_REST_MS
  const { core } = coordinator
  coordinator.storeLedger()
  while (core.ledger.storing && !core.ledger.isStoreDown && clock.now() < endsAtMs) {
    await sleep(clock, STORE_POLL_MS)
  }
}

const probeWhileBusIsDown = (
  { clock, log, bus, installKey, readHost }: OrchestratorCoreDeps,
  coordinator: Coordinator,
  ends: AsyncDisposableStack,
) => {
  if (installKey && !readHost) return
  ends.use(
    startHostProbes({
      ...{ clock, log, coordinator },
      readHost: readHost ?? ends.use(createRpcHostReader(bus)).read,
      isBusConnected: () => bus.isConnected,
    }),
  )
}

const toTerms = ({ leaseTtlMs, maxOutstanding }: CorePolicy): SessionTerms => ({
  leaseTtlMs,
  maxOutstanding,
  heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
  heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
})

const readiness = ({ core }: Coordinator, bus: Bus): Readiness => {
  const { role } = core
  return {
    ready: role.kind === 'leader' || role.address !== '',
    facts: {
      role: role.kind,
      term: role.term,
      hosts: core.view.hosts.size,
      nats: bus.isConnected ? 'connected' : 'disconnected',
    },
  }
}

const announce = (
  { bus, clock, rng }: OrchestratorCoreDeps,
  leaderId: string,
  address: string,
  term: number,
) =>
  bus.publish(
    subjects.event('leader_changed', leaderId),
    create(EventSchema, {
      eventId: randomUuid(rng),
      atMs: BigInt(Math.round(clock.wall())),
      kind: { case: 'leaderChanged', value: { leaderId, address, term: BigInt(term) } },
    }),
  )
