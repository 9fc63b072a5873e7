import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { connectBus, natsAccess, type Bus } from '@berth/bus'
import type { Cancel } from '@berth/kernel'
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
import { findDevices } from './device/find-devices.ts'
import { tellPools } from './device/tell-pools.ts'
import { watchDevices } from './device/watch-devices.ts'
import { createEnginePrograms } from './engine/engine-programs.ts'
import { findConfinement } from './engine/find-confinement.ts'
import { createStartTurns } from './engine/start-turns.ts'
import { createHost } from './host.ts'
import { createAgentMetrics } from './metrics.ts'
import { withHubToken } from './model-files/hub-env.ts'
import { openMemoryBook } from './memory/open-memory-book.ts'
import { watchLedger } from './memory/watch-ledger.ts'
import { openDoors, type OpenPorts } from './open-doors.ts'
import { openPoolsFile } from './pools-file/open-pools-file.ts'
import { runPools } from './run-pools.ts'
import type { Settings } from './settings.ts'
import { shutDown } from './shut-down.ts'
import { claimStateDir } from './state/claim-state-dir.ts'
import { nextEpoch } from './state/next-epoch.ts'
import { refuseTwin } from './refuse-twin.ts'
import { openState } from './state/open-state.ts'
import { takeStock } from './state/take-stock.ts'
import { watchPools } from './watch-pools.ts'

/** What the composition root knows of its process. */
export interface AgentSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the agent itself. */
  readonly pid: number
  /** Of the user it runs as; -1 where there are none. */
  readonly uid: number
  /** Of its group; as `uid` where it is not given. A container's user need not be known by name. */
  readonly gid?: number
  /** The Node that runs the agent. */
  readonly nodePath: string
  /** Where the engines' bundles are unless the settings say otherwise. */
  readonly bundleDir: string
  readonly version: string
  /** Calls `fn` when somebody asks the process to read its files again. Absent: nobody does. */
  readonly onHangup?: (fn: () => void) => Cancel
}

/** A running agent and the ports it took. Disposing stops it. */
export interface Agent extends OpenPorts {
  readonly hostId: string
  readonly epoch: number
}

/**
 * Brings an agent to life in `scope`: opens its doors, takes over the engines of an earlier life,
 * starts the other pools and publishes; follows the pools file as it changes. When the scope ends,
 * requests in flight finish, engines are left to the next life or stopped, then the doors close.
 * Throws `CONFIG_INVALID` and `PORT_IN_USE`.
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
  const agentEnv = await withHubToken(surroundings.env, settings.hfTokenFile)
  const source = openPoolsFile(settings, devices, agentEnv)
  const hostId = settings.hostId ?? source.first.hostId

  await mkdir(stateDir, { recursive: true })
  await claimStateDir(stateDir, surroundings.pid)
  const { uid, gid = uid, nodePath, version, onHangup } = surroundings
  const rng = systemRng()
  const means = { settings, env: agentEnv, nodePath, scope, clock, log }
  const { performance, ...kept } = await openState(stateDir, means)
  const specs = source.first.pools.map((spec) => kept.models.restore(spec))
  const { adoptable, ...stock } = await takeStock({ stateDir, specs, rng, clock, log })
  const epoch = await nextEpoch(stateDir, clock.wall())

  const series = scope.use(createMetrics('pool-managerd'))
  const metrics = createAgentMetrics(series)
  const bus: Bus = scope.use(
    await connectBus({ ...natsAccess(settings), name: `pool-managerd ${hostId}`, log }),
  )
  if (bus.isConnected) await refuseTwin({ access: natsAccess(settings), hostId, clock, log })
  const { agentId } = stock
  const self = { uid, gid, engineUser: settings.engineUser, env: agentEnv, agentId }
  const confinement = await findConfinement({ ...self, specs, kept: adoptable.values() }, log)
  const memory = await openMemoryBook({ stateDir, settings }, { devices, clock, log, scope })
  const env = {
    ...stock,
    ...confinement,
    ...{ ...kept, clock, rng, stateDir, devices },
    ...{ turns: createStartTurns(), programs: createEnginePrograms() },
    ...{ memory, isOffline: settings.offline },
    spawn: spawnChild,
    adopt: adoptProcess,
    nodePath,
    enginesDir: resolve(settings.enginesDir ?? surroundings.bundleDir),
    embeddedRuntimeDir: settings.embeddedRuntimeDir && resolve(settings.embeddedRuntimeDir),
    agentEnv,
  }
  const host = scope.use(
    createHost({
      ...{ hostId, epoch, version, specs, bus, env, metrics, log, performance },
      warmUpTokens: settings.warmUpTokens,
      devices: () => devices.found,
    }),
  )
  watchDevices(series, () => devices.found)
  watchLedger(series, memory)
  scope.defer(memory.onChange(() => host.publisher.changed('soon')))
  watchPools(series, { ...host, devices: () => devices.found })
  const doors = await openDoors(settings, { scope, host, bus, clock, log, metrics, series })
  scope.defer(() =>
    shutDown(host, doors.ingress, { clock, log, drainTimeoutMs: settings.drainTimeoutMs }),
  )
  scope.defer(tellPools(devices, { ...host, log }))
  await runPools({ ...{ settings, source, host, env, adoptable, series, scope, log }, onHangup })
  await kept.intents.written()
  host.publisher.flush()
  return { hostId, epoch, ...doors.ports }
}
