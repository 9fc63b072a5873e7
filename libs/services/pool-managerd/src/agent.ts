import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { connectBus, natsAccess, type Bus } from '@berth/bus'
import { drivers } from '@berth/drivers'
import type { Clock } from '@berth/kernel'
import {
  adoptProcess,
  createMetrics,
  refuseOpenDoor,
  spawnChild,
  systemClock,
  systemRng,
  type Logger,
  type Scope,
} from '@berth/runtime'
import { cpuName, hostMemory } from './device/cpu-inventory.ts'
import { createDevices, type Devices } from './device/devices.ts'
import { openKernelLog } from './device/kernel-log.ts'
import { createToolRunner } from './device/run-tool.ts'
import { tellPools } from './device/tell-pools.ts'
import { watchDevices } from './device/watch-devices.ts'
import { createStartTurns } from './engine/start-turns.ts'
import { createHost } from './host.ts'
import { createAgentMetrics } from './metrics.ts'
import { openDoors, type OpenPorts } from './open-doors.ts'
import { loadPoolsFile } from './pools-file/load-pools-file.ts'
import type { PoolSpec } from './pools-file/pool-spec.ts'
import type { Settings } from './settings.ts'
import { shutDown } from './shut-down.ts'
import { startPools } from './pool/start-pools.ts'
import { claimStateDir } from './state/claim-state-dir.ts'
import { nextEpoch } from './state/next-epoch.ts'
import { openPoolModels } from './state/pool-models.ts'
import { takeStock } from './state/take-stock.ts'
import { watchPools } from './watch-pools.ts'

/** What the composition root knows of its process. */
export interface AgentSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the agent itself. */
  readonly pid: number
  /** The Node that runs the agent. */
  readonly nodePath: string
  /** Where the engines' bundles are unless the settings say otherwise. */
  readonly bundleDir: string
  readonly version: string
}

/** A running agent and the ports it took. Disposing stops it. */
export interface Agent extends OpenPorts {
  readonly hostId: string
  readonly epoch: number
}

/**
 * Brings an agent to life in `scope`: opens its doors, takes over the engines of an earlier life,
 * starts the other pools and publishes. When the scope ends, requests in flight finish, engines
 * are left to the next life or stopped, then the doors close. Throws `CONFIG_INVALID` and
 * `PORT_IN_USE`.
 */
export const startAgent = async (
  settings: Settings,
  surroundings: AgentSurroundings,
  { scope, log }: { readonly scope: Scope; readonly log: Logger },
): Promise<Agent> => {
  const { grpcHost, insecure } = settings
  refuseOpenDoor({ setting: 'grpc_host', host: grpcHost, insecure })
  const clock = systemClock()
  const stateDir = resolve(settings.stateDir)
  const devices = await findDevices(surroundings, { scope, clock, log })
  const file = loadPoolsFile({ path: resolve(settings.poolsFile), drivers, devices })
  const hostId = settings.hostId ?? file.hostId

  await mkdir(stateDir, { recursive: true })
  await claimStateDir(stateDir, surroundings.pid)
  const rng = systemRng()
  const models = await openPoolModels(stateDir, log)
  const specs = file.pools.map((spec) => models.restore(withExit(spec, settings.stopEnginesOnExit)))
  const { adoptable, ...stock } = await takeStock({ stateDir, specs, rng, clock, log })
  const epoch = await nextEpoch(stateDir, clock.wall())

  const series = scope.use(createMetrics('pool-managerd'))
  const metrics = createAgentMetrics(series)
  const bus: Bus = scope.use(
    await connectBus({ ...natsAccess(settings), name: `pool-managerd ${hostId}`, log }),
  )
  const env = {
    ...stock,
    ...{ clock, rng, stateDir, devices, models },
    turns: createStartTurns(),
    spawn: spawnChild,
    adopt: adoptProcess,
    nodePath: surroundings.nodePath,
    enginesDir: resolve(settings.enginesDir ?? surroundings.bundleDir),
    embeddedRuntimeDir: settings.embeddedRuntimeDir && resolve(settings.embeddedRuntimeDir),
    agentEnv: surroundings.env,
  }
  const { version } = surroundings
  const host = scope.use(
    createHost({
      ...{ hostId, epoch, version, specs, bus, env, metrics, log },
      devices: () => devices.found,
    }),
  )
  watchDevices(series, () => devices.found)
  watchPools(series, { ...host, devices: () => devices.found })
  const doors = await openDoors(settings, { scope, host, bus, clock, log, metrics, series })
  scope.defer(() =>
    shutDown(host, doors.ingress, { clock, log, drainTimeoutMs: settings.drainTimeoutMs }),
  )
  scope.defer(tellPools(devices, { ...host, log }))
  await startPools([...host.pools.values()], adoptable, log)
  host.publisher.flush()
  return { hostId, epoch, ...doors.ports }
}

/** The devices of this host, looked at once. */
const findDevices = async (
  { env }: AgentSurroundings,
  { scope, clock, log }: { readonly scope: Scope; readonly clock: Clock; readonly log: Logger },
): Promise<Devices> => {
  const { run } = scope.use(createToolRunner({ clock, env }))
  const kernelLog = await openKernelLog(log)
  const devices = scope.use(
    createDevices({ clock, run, cpuName: cpuName(), hostMemory, kernelLog }),
  )
  await devices.look()
  return devices
}

/** What the settings say of all engines wins over what a pool says of its own. */
const withExit = (spec: PoolSpec, stopsEngines: boolean | undefined): PoolSpec =>
  stopsEngines === undefined
    ? spec
    : { ...spec, outlivesAgent: !stopsEngines && spec.engine.mode === 'managed' }
