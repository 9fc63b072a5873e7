import { sleep } from '@berth/kernel'
import {
  createHost,
  poolManagerService,
  shutDown,
  type AgentMetrics,
  type FoundDevice,
  type Host,
  type PoolSpec,
} from '@berth/pool-managerd'
import { portsOf } from './machine-ports.ts'
import { connectSimBus } from './sim-bus.ts'
import { createSimIngress, type Taken } from './sim-ingress.ts'
import type { SimMachine } from './sim-machine.ts'
import { createSimProcess, type SimNode, type SimProcess } from './sim-process.ts'
import { serveUnary } from './sim-unary.ts'
import type { SimWorld } from './sim-world.ts'

/** One life of a pool-managerd: real pools and supervisors on a virtual machine. */
export interface SimAgent {
  readonly process: SimProcess
  readonly host: Host
  kill(): void
  /** An orderly end: drains, stops the engines. Needs time to pass. */
  stop(): Promise<void>
}

export interface SimAgentOptions {
  readonly node: SimNode
  readonly machine: SimMachine
  readonly specs: readonly PoolSpec[]
  readonly memoryBytes: number
  onTaken(host: Host, taken: Taken): void
}

const REAP_MS = 50
const DRAIN_TIMEOUT_MS = 10_000
const COUNTER = { inc: () => undefined }
const HISTOGRAM = { observe: () => undefined }
const METRICS: AgentMetrics = {
  transitions: COUNTER,
  restarts: COUNTER,
  backoffs: COUNTER,
  probeFailures: COUNTER,
  refusals: COUNTER,
  requests: COUNTER,
  tokens: COUNTER,
  orphanedSeconds: COUNTER,
  drainSeconds: HISTOGRAM,
  loadSeconds: HISTOGRAM,
}

/** Starts an agent as `startAgent` does: stock, epoch, doors, pools, snapshot. */
export const startSimAgent = async (
  world: SimWorld,
  options: SimAgentOptions,
): Promise<SimAgent> => {
  const { sockets, trace } = world
  const { node, machine } = options
  const process = createSimProcess(world.clock, node)
  const { clock } = process
  const log = trace.loggerOf(node.name)
  const rng = world.fork()
  trace.add(node.name, 'agent started')
  const adoptable = machine.takeStock()
  await sleep(world.clock, REAP_MS)

  const loses = (subject: string) => world.losesSubject(subject)
  const bus = connectSimBus({ ...world, process, server: world.bus, log, loses })
  const ports = portsOf(machine, process)
  const env = {
    ...{ ...ports, clock, rng },
    ...{ stateDir: '/state', nodePath: 'node', enginesDir: '/engines', embeddedRuntimeDir: '' },
    agentEnv: {},
  }
  const host = createHost({
    hostId: node.name,
    epoch: machine.nextEpoch(clock.wall()),
    version: 'sim',
    specs: options.specs,
    devices: () => [deviceOf(options.memoryBytes)],
    ...{ bus, env, log, askProbe: ports.askProbe, metrics: METRICS },
  })
  const { ingress, accept } = createSimIngress({
    ...{ host, process, metrics: METRICS },
    engineAt: (port) => machine.engineAt(port),
    onTaken: (taken) => options.onTaken(host, taken),
  })
  const service = poolManagerService({
    ...host,
    clock,
    takeSnapshot: () => host.publisher.take(),
  })
  const [grpc, http] = [`${node.name}:7080`, `${node.name}:7081`]
  const doors = [
    sockets.listen(process, http, accept),
    serveUnary(sockets, process, { address: grpc, service, log, rng }),
  ]
  host.advertise({ grpc, ingress: http })
  for (const pool of host.pools.values()) {
    const entry = adoptable.get(pool.spec.poolId)
    if (entry) await pool.adopt(entry)
    else pool.dispatch({ kind: 'start' })
  }
  host.publisher.flush()
  return {
    process,
    host,
    kill: () => {
      trace.add(node.name, 'agent killed')
      process.kill()
    },
    stop: async () => {
      trace.add(node.name, 'agent stops')
      await shutDown(host, ingress, { clock, log, drainTimeoutMs: DRAIN_TIMEOUT_MS })
      for (const door of doors) door[Symbol.dispose]()
      host[Symbol.dispose]()
      await bus[Symbol.asyncDispose]()
    },
  }
}

const deviceOf = (memoryTotalBytes: number): FoundDevice => ({
  ...{ deviceId: '0', uuid: 'sim-0', name: 'Simulated GPU', kind: 'nvidia' },
  ...{ computeCapability: '9.0', cores: 0, memoryTotalBytes },
})
