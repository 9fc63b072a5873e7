import type { Bus } from '@berth/bus'
import type { Pool as PoolMessage } from '@berth/contract'
import type { FoundDevice } from '@berth/devices'
import { drivers } from '@berth/drivers'
import { assert } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { createOperations, type Operations } from './commands/operations.ts'
import { askEngine } from './engine/ask-engine.ts'
import type { AskProbe } from './engine/ask-probe.ts'
import type { LaunchEnv } from './engine/launch-instance.ts'
import { createAuthority, type Authority } from './ingress/authority.ts'
import type { AgentMetrics } from './metrics.ts'
import { getAcquainted } from './pool/get-acquainted.ts'
import type { PerformanceStore } from './pool/performance-book.ts'
import { createHostPools, type HostPools } from './pool/host-pools.ts'
import type { ModelFiles } from './model-files/model-files.ts'
import { careForModels } from './model-files/care-for-models.ts'
import type { Pulls } from './model-files/pull-models.ts'
import { keeperOf } from './models-in-engine/keeper-of-pool.ts'
import { sleepOf } from './sleep/pool-sleep.ts'
import { createPoolReporter } from './pool/pool-reporter.ts'
import { Pool, type PoolOptions } from './pool/pool.ts'
import type { PoolSpec } from './pools-file/pool-spec.ts'
import { createAgentEvents, type AgentEvents } from './publish/agent-events.ts'
import { hostMessage, type HostFacts } from './publish/host-message.ts'
import { poolMessage } from './publish/pool-message.ts'
import { createPublisher, type Publisher } from './publish/publisher.ts'
import { tellOperations } from './publish/tell-operations.ts'

/** What the doors of the agent lead to: the pools of this host and the picture of them. */
export interface Host extends HostPools, Disposable {
  readonly hostId: string
  readonly epoch: number
  readonly authority: Authority
  readonly operations: Operations
  readonly publisher: Publisher
  readonly events: AgentEvents
  /** Absent: nothing is booked. */
  readonly memory?: LaunchEnv['memory'] | undefined
  /** Absent: this agent keeps no models. */
  readonly modelFiles: ModelFiles | undefined
  readonly pulls: Pulls | undefined
  readonly describe: (pool: Pool) => PoolMessage
  /** Where core and gateways reach this host, once the doors are open. */
  advertise(addresses: { readonly grpc: string; readonly ingress: string }): void
  /** What is wrong with the pools file as it is now; nothing while it is followed. */
  tellPoolsFile(problems: readonly string[]): void
  /** From now on the snapshot says that the agent is stopping. */
  markDraining(): void
}

/** One life of an agent: who it is, what it runs, and the ports it uses. */
export interface HostOptions {
  readonly hostId: string
  readonly epoch: number
  readonly version: string
  readonly specs: readonly PoolSpec[]
  /** As they are now. */
  readonly devices: () => readonly FoundDevice[]
  readonly bus: Bus
  readonly env: LaunchEnv
  /** How engines are asked. Default: over HTTP and gRPC. */
  readonly askProbe?: AskProbe
  readonly metrics: AgentMetrics
  readonly log: Logger
  /** Where measured speeds outlive the agent. Default: nowhere. */
  readonly performance?: PerformanceStore
  /** Length of the generation that measures a new engine. Default 0: none. */
  readonly warmUpTokens?: number
}

/** The host with a supervisor for each of its pools; none has started anything yet. */
export const createHost = (options: HostOptions): Host => {
  const { hostId, epoch, env, bus } = options
  const { clock, rng } = env
  const operations = createOperations(clock, rng)
  const events = createAgentEvents({ bus, clock, rng, hostId, epoch })
  let addresses = { grpc: '', ingress: '' }
  let isDraining = false
  let poolsFileProblems: readonly string[] = []

  const { pools, put, drop } = createHostPools(
    (spec) =>
      makePool(spec, { ...options, events, onSnapshotChange: (how) => publisher.changed(how) }),
    () => publisher.changed('urgent'),
  )
  const describe = (pool: Pool) =>
    poolMessage(pool, {
      ...{ clock, isDraining, devices: options.devices(), memory: env.memory },
      operation: operations.current(pool.spec.poolId),
    })
  const picture = () => ({ authority, isDraining, poolsFileProblems, addresses })
  const publisher = createPublisher({
    bus,
    clock,
    hostId,
    epoch,
    build: (revision) =>
      hostMessage(
        factsOf(options, { ...picture(), revision, modelDisk: care.disk }),
        [...pools.values()].map(describe),
      ),
  })
  const authority = createAuthority(() => publisher.changed('urgent'))
  const told = tellOperations(operations, { log: options.log, clock, events, publisher })
  const onChange = () => publisher.changed('soon')
  const care = careForModels(env.modelFiles, { ...options, pools, operations, clock, onChange })
  for (const spec of options.specs) put(spec)
  return {
    hostId,
    epoch,
    pools,
    authority,
    operations,
    publisher,
    events,
    ...{ modelFiles: env.modelFiles, memory: env.memory },
    pulls: care.pulls,
    describe,
    put,
    drop,
    advertise: (given) => {
      addresses = given
      publisher.changed('urgent')
    },
    tellPoolsFile: (problems) => {
      if (problems.join('\n') === poolsFileProblems.join('\n')) return
      // A snapshot has its limits, and so has what people read.
      poolsFileProblems = problems.slice(0, 20).map((problem) => problem.slice(0, 500))
      publisher.changed('urgent')
    },
    markDraining: () => {
      isDraining = true
      publisher.flush()
    },
    [Symbol.dispose]: () => {
      care[Symbol.dispose]()
      told[Symbol.dispose]()
      publisher[Symbol.dispose]()
    },
  }
}

const factsOf = (
  options: HostOptions,
  now: Pick<
    HostFacts,
    'revision' | 'authority' | 'isDraining' | 'poolsFileProblems' | 'modelDisk'
  > & {
    readonly addresses: { readonly grpc: string; readonly ingress: string }
  },
): HostFacts => ({
  ...options,
  ...now,
  devices: options.devices(),
  memory: options.env.memory,
  takenAtMs: options.env.clock.wall(),
  agentVersion: options.version,
  grpcAddress: now.addresses.grpc,
  ingressAddress: now.addresses.ingress,
})

const makePool = (
  spec: PoolSpec,
  {
    env,
    metrics,
    ...from
  }: HostOptions & Pick<PoolOptions, 'onSnapshotChange'> & { readonly events: AgentEvents },
): Pool => {
  const { poolId } = spec
  const { engine } = spec.engine
  const driver = drivers[engine]
  assert(driver !== undefined, 'a pool that was checked has a driver')
  const log = from.log.child({
    pool_id: poolId,
    engine,
    device_mask: spec.devices,
  })
  const askProbe = from.askProbe ?? askEngine(env.clock)
  const acquaintance = { askProbe, clock: env.clock, log, warmUpTokens: from.warmUpTokens ?? 0 }
  const { events, onSnapshotChange } = from
  const reporter = createPoolReporter(() => pool, { log, metrics, clock: env.clock, events })
  const keeping = {
    ...{ env, log, askProbe, clock: env.clock, onChange: onSnapshotChange },
    onProgress: reporter.loadChanged,
    onLoaded: (of: Pool, modelId: string, seconds: number) => {
      metrics.loadSeconds.observe({ engine }, seconds)
      if (modelId === of.spec.engine.modelId) void getAcquainted(of, acquaintance)
    },
  }
  const pool: Pool = new Pool({
    ...{ spec, driver, log, env, askProbe, reporter, onSnapshotChange },
    keeperOf: (of) => keeperOf(of, keeping),
    sleepOf: (of) => sleepOf(of, { ...keeping, onChange: () => onSnapshotChange('urgent') }),
    performance: from.performance,
    onServing: () => {
      if (pool.instance) env.memory?.serving(pool.instance.instanceId, pool.instance.pid)
      void getAcquainted(pool, acquaintance)
    },
  })
  return pool
}
