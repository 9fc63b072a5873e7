import { messageOf } from '@berth/kernel'
import { settle } from '@berth/kernel/testing'
import { drawSwarm, startFaults, type Swarm } from './faults.ts'
import { createInvariants, type Invariants } from './invariants.ts'
import { chargeProblems } from './ledger-checks.ts'
import { unrest } from './liveness.ts'
import { createSimFleet, type FleetWatch, type SimFleet } from './sim-fleet.ts'
import { createSimWorld, type SimWorld } from './sim-world.ts'
import { drawWorkload, type SimJob } from './workload.ts'

/** Which run, and how large. */
export interface SeedOptions {
  readonly seed: number
  readonly hosts: number
  /** Every event on the bus is lost; snapshots and heartbeats are not. */
  readonly losesEvents?: boolean
  /** How long faults are on, in virtual milliseconds. */
  readonly faultsMs?: number
  /** Breaks something on purpose: a simulator that finds nothing proves nothing. */
  readonly sabotage?: (fleet: SimFleet) => Partial<FleetWatch>
}

/** What came of one seed. */
export interface SeedResult {
  readonly seed: number
  /** None: everything held. */
  readonly violations: readonly string[]
  readonly digest: string
  readonly traceLines: number
  readonly trace: readonly string[]
  readonly swarm: Swarm
  /** Jobs by how they ended for their client. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly virtualMs: number
}

const FAULTS_MS = 45_000
/** Faults are over: by then the fleet is at rest. Host offline, breaker, longest wait, longest job. */
const CONVERGE_MS = 120_000
const CHECK_MS = 1_000
const PROBE_MS = 20_000
const STOP_MS = 30_000
const MEAN_GAP_MS = 600

/** Safety under faults, then liveness without them, then an end that leaves nothing behind. */
export const runSeed = async (options: SeedOptions): Promise<SeedResult> => {
  const { seed, hosts, faultsMs = FAULTS_MS } = options
  const world = createSimWorld(seed)
  if (options.losesEvents) world.losesSubject = (subject) => subject.includes('.event.')
  const rng = world.fork()
  const swarm = drawSwarm(rng)
  const invariants = createInvariants(world.violate)
  let sabotage: Partial<FleetWatch> = {}
  const fleet: SimFleet = createSimFleet(world, {
    hosts,
    watch: {
      onCoreEvent: (core, event) => {
        sabotage.onCoreEvent?.(core, event)
        invariants.onCoreEvent(core, event)
      },
      onTaken: (host, taken) => {
        sabotage.onTaken?.(host, taken)
        invariants.onTaken(host, taken)
      },
    },
  })
  sabotage = options.sabotage?.(fleet) ?? {}
  const run: Run = { world, fleet, invariants }

  for (const seat of fleet.seats) void seat.start()
  const workload = { rng, models: fleet.models, untilMs: faultsMs, meanGapMs: MEAN_GAP_MS / hosts }
  for (const job of drawWorkload(workload)) {
    world.clock.after(job.arrivesAtMs, () => void fleet.send(job))
  }
  const faults = startFaults(fleet, swarm, world.fork())
  await pass(run, faultsMs)
  faults.stop()
  await converge(run)
  await end(run)
  const result = {
    ...{ seed, swarm, violations: [...world.violations], virtualMs: world.clock.now() },
    ...{ digest: world.trace.digest(), traceLines: world.trace.lines, trace: world.trace.tail() },
    outcomes: countOutcomes(fleet),
  }
  world.over.abort()
  return result
}

interface Run {
  readonly world: SimWorld
  readonly fleet: SimFleet
  readonly invariants: Invariants
}

/** Lets time pass, looking at everything once a second. A broken run is not followed further. */
const pass = async ({ world, fleet, invariants }: Run, ms: number): Promise<void> => {
  const endAt = world.clock.now() + ms
  while (world.clock.now() < endAt && world.violations.length === 0) {
    try {
      await world.clock.advance(Math.min(CHECK_MS, endAt - world.clock.now()))
    } catch (error) {
      // What would end a real process: an assertion of its own, most of the time.
      world.violate(`a service threw: ${messageOf(error)}`)
    }
    invariants.check(fleet)
  }
}

const converge = async (run: Run): Promise<void> => {
  const { world, fleet } = run
  const deadline = world.clock.now() + CONVERGE_MS
  while (world.clock.now() < deadline && unrest(fleet).length > 0) {
    await pass(run, CHECK_MS)
    if (world.violations.length > 0) return
  }
  for (const what of unrest(fleet)) world.violate(`after ${CONVERGE_MS} ms without faults: ${what}`)
  for (const what of chargeProblems(fleet)) world.violate(what)
  if (world.violations.length > 0) return
  const probes = fleet.models.map((modelId, index) => fleet.send(probeJob(modelId, index)))
  await pass(run, PROBE_MS)
  for (const { end: outcome, job } of probes) {
    if (outcome?.kind === 'completed') continue
    world.violate(`a healthy fleet does not serve ${job.modelId}: ${JSON.stringify(outcome)}`)
  }
}

const probeJob = (modelId: string, index: number): SimJob => ({
  ...{ jobId: `probe-${index}`, arrivesAtMs: 0, modelId, isBatch: false, maxWaitMs: 10_000 },
  ...{ pieces: 5, firstMs: 50, pieceMs: 20, readMs: 0, keyId: '', sessionId: '' },
})

/** Stops every service in order: clients first, agents last. */
const end = async ({ world, fleet }: Run): Promise<void> => {
  if (world.violations.length > 0) return
  const hosts = fleet.hosts.map(({ seat }) => seat)
  for (const seats of [fleet.gateways, fleet.cores, hosts]) {
    for (const seat of seats) void seat.stop()
    await world.clock.advance(STOP_MS)
    for (const { node, phase } of seats) {
      if (phase !== 'down') world.violate(`${node.name} did not stop within ${STOP_MS} ms`)
    }
  }
  await settle()
  for (const { machine, seat, specs } of fleet.hosts) {
    const staying = new Set(specs.filter(outlives).map(({ poolId }) => poolId))
    for (const engine of machine.engines) {
      const { poolId } = engine.options
      if (!staying.has(poolId)) world.violate(`${seat.node.name} left ${poolId} running`)
    }
    if (machine.journal.size !== machine.engines.length) {
      world.violate(`${seat.node.name} has ${machine.journal.size} engines on its books`)
    }
  }
  if (world.sockets.open > 0) world.violate(`${world.sockets.open} sockets are left open`)
  if (world.clock.pending() > 0) world.violate(`${world.clock.pending()} timers are left`)
}

const outlives = ({ outlivesAgent }: SimFleet['hosts'][number]['specs'][number]) =>
  outlivesAgent === true

const countOutcomes = ({ clients }: SimFleet): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { end: outcome } of clients) {
    const kind = outcome ? nameOf(outcome) : 'none'
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

const nameOf = (outcome: NonNullable<SimFleet['clients'][number]['end']>): string =>
  outcome.kind === 'failed' ? outcome.reason : outcome.kind
