import { PoolManagerService } from '@berth/contract'
import {
  coreConfigSchema,
  createOrchestratorCore,
  type CoreEvent,
  type OrchestratorCore,
} from '@berth/orchestrator-core'
import { BerthError } from '@berth/kernel'
import { createMetrics } from '@berth/runtime'
import { SIM_KEYS } from './sim-books.ts'
import { connectSimBus } from './sim-bus.ts'
import { createSimProcess, type SimNode, type SimProcess } from './sim-process.ts'
import { acceptSessions } from './sim-session.ts'
import { callUnary } from './sim-unary.ts'
import type { SimWorld } from './sim-world.ts'

/** One life of an orchestrator-core: the real one, behind simulated ports. */
export interface SimCore {
  readonly process: SimProcess
  readonly core: OrchestratorCore
  kill(): void
  /** An orderly end. Needs time to pass. */
  stop(): Promise<void>
}

const INSTALL_DEADLINE_MS = 2_000
const READ_DEADLINE_MS = 1_500

/** Starts a core on a node; gateways reach it at `<node>:7070`. */
export const startSimCore = (
  world: SimWorld,
  node: SimNode,
  observe: (core: OrchestratorCore, event: CoreEvent) => void,
): SimCore => {
  const { sockets, trace } = world
  const process = createSimProcess(world.clock, node)
  const log = trace.loggerOf(node.name)
  const metrics = createMetrics('orchestrator-core')
  const loses = (subject: string) => world.losesSubject(subject)
  const bus = connectSimBus({ ...world, process, server: world.bus, log, loses })
  const core = createOrchestratorCore({
    ...{ bus, metrics, log, clock: process.clock, rng: world.fork() },
    config: coreConfigSchema.parse({}),
    version: 'sim',
    observe: (event) => observe(core, event),
    budgetOfKey: (keyId) => SIM_KEYS[keyId],
    installKey: async ({ hostId, epoch, term, grpcAddress: address }, key, signal) => {
      await callUnary(sockets, process, {
        ...{ address, signal, deadlineMs: INSTALL_DEADLINE_MS },
        method: PoolManagerService.method.installLeaseKey,
        request: { ...key, hostId, term: BigInt(term), epoch: BigInt(epoch) },
      })
    },
    readHost: async (address, signal) => {
      const { host } = await callUnary(sockets, process, {
        ...{ address, signal, deadlineMs: READ_DEADLINE_MS },
        method: PoolManagerService.method.getHost,
        request: {},
      })
      if (!host) throw new BerthError('RPC_FAILED', `${address} answered without a host.`)
      return host
    },
  })
  const address = `${node.name}:7070`
  const door = sockets.listen(
    process,
    address,
    acceptSessions((stream) => core.sessions.accept(stream, log)),
  )
  void core.start(address)
  trace.add(node.name, 'core started')
  return {
    process,
    core,
    kill: () => {
      trace.add(node.name, 'core killed')
      process.kill()
      metrics[Symbol.dispose]()
    },
    stop: async () => {
      trace.add(node.name, 'core stops')
      door[Symbol.dispose]()
      await core[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
      metrics[Symbol.dispose]()
    },
  }
}
