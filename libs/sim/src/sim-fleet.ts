import { randomInt, type Rng } from '@berth/kernel'
import type { CoreEvent, OrchestratorCore } from '@berth/orchestrator-core'
import type { Host, PoolSpec } from '@berth/pool-managerd'
import { drawPools, engineBytes, memoryOf, SIM_MODELS } from './pool-specs.ts'
import { createSeat, type Seat } from './seat.ts'
import { startSimAgent, type SimAgent } from './sim-agent.ts'
import { createSimClient, type ClientEnd, type SimClient } from './sim-client.ts'
import { startSimCore, type SimCore } from './sim-core.ts'
import type { EngineFault } from './sim-engine.ts'
import { startSimGateway, type SimGateway } from './sim-gateway.ts'
import type { Taken } from './sim-ingress.ts'
import { SimMachine } from './sim-machine.ts'
import type { SimNode } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'
import type { SimJob } from './workload.ts'

export interface SimHost {
  readonly seat: Seat<SimAgent>
  readonly machine: SimMachine
  readonly specs: readonly PoolSpec[]
}

/** Told of what a fleet does, as it does it. */
export interface FleetWatch {
  onCoreEvent(core: OrchestratorCore, event: CoreEvent): void
  onTaken(host: Host, taken: Taken): void
}

/** How often a life of an engine begins with which fault, 0 to 1. */
export interface EngineFaultRates {
  readonly hangsInLoad: number
  readonly outOfMemory: number
  readonly lies: number
}

export const NO_ENGINE_FAULTS: EngineFaultRates = { hangsInLoad: 0, outOfMemory: 0, lies: 0 }

/** Two cores, two gateways and N hosts in one world, and the clients that use them. */
export interface SimFleet {
  readonly world: SimWorld
  readonly cores: readonly Seat<SimCore>[]
  readonly gateways: readonly Seat<SimGateway>[]
  readonly hosts: readonly SimHost[]
  /** Everything that runs somewhere. */
  readonly seats: readonly Seat<SimCore | SimGateway | SimAgent>[]
  readonly clients: readonly SimClient[]
  readonly models: readonly string[]
  engineFaults: EngineFaultRates
  /** A client sends a job to one of the gateways that run. */
  send(job: SimJob): SimClient
}

export interface FleetOptions {
  readonly hosts: number
  readonly watch: FleetWatch
}

/** A fleet whose seats are all empty. */
export const createSimFleet = (world: SimWorld, { hosts, watch }: FleetOptions): SimFleet => {
  const { clock, trace, violate } = world
  const rng = world.fork()
  const models = Object.keys(SIM_MODELS).slice(0, hosts)
  const cores = nodes('core', 2).map((node) =>
    createSeat({
      node,
      onLeftBehind: violate,
      start: () => startSimCore(world, node, (core, event) => watch.onCoreEvent(core, event)),
    }),
  )
  const addresses = cores.map(({ node }) => `${node.name}:7070`)
  const gateways = nodes('gw', 2).map((node) =>
    createSeat({
      node,
      onLeftBehind: violate,
      start: (life) => startSimGateway(world, { node, life, cores: addresses }),
    }),
  )
  const simHosts = nodes('host', hosts).map((node, index): SimHost => {
    const specs = drawPools(rng, node.name, models[index % models.length]!)
    const memoryBytes = memoryOf(specs)
    const machine = new SimMachine({
      ...{ name: node.name, clock, memoryBytes, engineBytes, onViolation: violate },
      drawLife: () => drawEngineLife(rng, fleet.engineFaults),
      trace: (what) => trace.add(node.name, what),
    })
    const onTaken = (host: Host, taken: Taken) => watch.onTaken(host, taken)
    const start = () => startSimAgent(world, { node, machine, specs, memoryBytes, onTaken })
    return { specs, machine, seat: createSeat({ node, onLeftBehind: violate, start }) }
  })
  const clients: SimClient[] = []

  const run = async (gateway: SimGateway, client: SimClient) => {
    const { jobId } = client.job
    const stopWatching = gateway.process.onKill(() => client.cut())
    try {
      await gateway.run(client.job, client.caller)
    } catch (error) {
      violate(`${jobId}: dispatch threw ${String(error)}`)
    }
    stopWatching()
    if (!client.end) violate(`${jobId}: dispatch ended and its client was told nothing`)
  }
  const fleet: SimFleet = {
    ...{ world, cores, gateways, hosts: simHosts, clients, models },
    seats: [...cores, ...gateways, ...simHosts.map(({ seat }) => seat)],
    engineFaults: NO_ENGINE_FAULTS,
    send: (job) => {
      const onEnd = (end: ClientEnd) => trace.add('clients', `${job.jobId} ${JSON.stringify(end)}`)
      const client = createSimClient({ job, clock, violate, onEnd })
      clients.push(client)
      const up = gateways.flatMap(({ service }) => service ?? [])
      const gateway = up[randomInt(rng, up.length)]
      if (gateway) void run(gateway, client)
      else client.cut()
      return client
    },
  }
  return fleet
}

const nodes = (name: string, count: number): SimNode[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${name}-${index + 1}`, wallOffsetMs: 0 }))

const drawEngineLife = (rng: Rng, rates: EngineFaultRates) => {
  const loadMs = 300 + randomInt(rng, 3_000)
  return { loadMs, fault: drawEngineFault(rng.float(), rates) }
}

const drawEngineFault = (draw: number, rates: EngineFaultRates): EngineFault => {
  const { hangsInLoad, outOfMemory, lies } = rates
  if (draw < hangsInLoad) return 'hangs_in_load'
  if (draw < hangsInLoad + outOfMemory) return 'out_of_memory'
  return draw < hangsInLoad + outOfMemory + lies ? 'lies' : 'none'
}
