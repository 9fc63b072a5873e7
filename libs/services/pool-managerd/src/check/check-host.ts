import { dirname, resolve } from 'node:path'
import { lookAtNats, natsAccess } from '@berth/bus'
import { BerthError, type Clock } from '@berth/kernel'
import { refuseOpenDoor, type Scope, type Logger } from '@berth/runtime'
import type { AgentSurroundings } from '../agent.ts'
import { findDevices } from '../device/find-devices.ts'
import { findPrivileges } from '../engine/privileges.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { agentOf } from '../state/claim-state-dir.ts'
import { checkBus } from './check-bus.ts'
import { fail, ok, warn, type CheckLine } from './check-line.ts'
import { checkDevices, checkDisk, checkPort, checkStateDir, type Door } from './check-machine.ts'
import { checkEngine, checkPath, checkPoolsFile } from './check-pools.ts'
import type { CheckSettings } from './check-settings.ts'

const LOOK_TIMEOUT_MS = 3_000

/**
 * Everything an agent with these settings would need of this host, one line each. Starts nothing
 * and writes nothing.
 */
export const checkHost = async (
  settings: CheckSettings,
  surroundings: AgentSurroundings,
  { scope, clock, log }: { readonly scope: Scope; readonly clock: Clock; readonly log: Logger },
): Promise<readonly CheckLine[]> => {
  const stateDir = settings.stateDir === undefined ? undefined : resolve(settings.stateDir)
  const poolsFile = settings.pools ?? settings.poolsFile
  const agentPid = stateDir === undefined ? undefined : await agentOf(stateDir)
  const devices = await findDevices(surroundings, { scope, clock, log })
  const { line, file } = checkPoolsFile(poolsFile && resolve(poolsFile), devices)
  const pools = file?.pools ?? []
  return [
    line,
    ...checkDevices(devices.found),
    await checkPath(surroundings.env['PATH']),
    ...(await checkEngines(pools, settings, surroundings)),
    checkDoor(settings),
    ...(await checkPorts(settings, pools, agentPid)),
    ...(await checkFolders(stateDir, pools)),
    ...checkBus(settings.natsUrl, await look(settings, clock)),
  ]
}

const look = (settings: CheckSettings, clock: Clock) => {
  try {
    return lookAtNats({ ...natsAccess(settings), timeoutMs: LOOK_TIMEOUT_MS, clock })
  } catch (error) {
    return { isReachable: false, problem: BerthError.from(error).message } as const
  }
}

const checkEngines = async (
  pools: readonly PoolSpec[],
  settings: CheckSettings,
  { env, uid, nodePath, bundleDir }: AgentSurroundings,
): Promise<CheckLine[]> => {
  const path = env['PATH']
  try {
    const privileges = await findPrivileges(settings.engineUser, { uid, path })
    const places = {
      ...{ nodePath, path, privileges },
      enginesDir: resolve(settings.enginesDir ?? bundleDir),
      embeddedRuntimeDir: settings.embeddedRuntimeDir && resolve(settings.embeddedRuntimeDir),
    }
    const engines = await Promise.all(pools.map((spec) => checkEngine(spec, places)))
    return [checkUser(uid, privileges?.user.uid), ...engines]
  } catch (error) {
    return [fail('engine user', BerthError.from(error).message, 'Mend engine_user.')]
  }
}

const checkUser = (uid: number, engineUid: number | undefined): CheckLine => {
  if (engineUid !== undefined) return ok('engine user', `engines run as uid ${engineUid}`)
  return uid === 0
    ? warn('engine user', 'engines run as root with all it may do', 'Install util-linux (setpriv).')
    : ok('engine user', `engines run as the agent does, uid ${uid}`)
}

const checkDoor = ({ grpcHost, insecure }: CheckSettings): CheckLine => {
  try {
    refuseOpenDoor({ setting: 'grpc_host', host: grpcHost, insecure })
    return ok('doors', `commands are taken at ${grpcHost}`)
  } catch (error) {
    return fail('doors', BerthError.from(error).message, 'Mend grpc_host.')
  }
}

const checkPorts = (
  settings: CheckSettings,
  pools: readonly PoolSpec[],
  agentPid: number | undefined,
): Promise<CheckLine[]> => {
  const doors: readonly Door[] = [
    { setting: 'grpc_port', host: settings.grpcHost, port: settings.grpcPort },
    { setting: 'ingress_port', host: settings.ingressHost, port: settings.ingressPort },
    { setting: 'http_port', host: settings.httpHost, port: settings.httpPort },
  ]
  // While the agent runs its engines hold theirs.
  const engines = pools
    .filter(({ port, policy }) => port !== 0 && policy.hasProcess && agentPid === undefined)
    .map(({ poolId, port }) => ({ setting: `of pool ${poolId}`, host: '127.0.0.1', port }))
  return Promise.all([...doors, ...engines].map((door) => checkPort(door, agentPid)))
}

const checkFolders = async (
  stateDir: string | undefined,
  pools: readonly PoolSpec[],
): Promise<CheckLine[]> => {
  const folders = new Set(pools.flatMap(({ modelPath }) => (modelPath ? [dirname(modelPath)] : [])))
  const models = [...folders].map((folder) => checkDisk(`models in ${folder}`, folder))
  if (stateDir === undefined) return Promise.all(models)
  return Promise.all([
    checkStateDir(stateDir),
    checkDisk('the state directory', stateDir),
    ...models,
  ])
}
