import { join } from 'node:path'
import { messageOf, type Clock, type Rng } from '@berth/kernel'
import type { Adopt, Logger, Spawn } from '@berth/runtime'
import type {
  CrashReport,
  EngineAccess,
  EngineDriver,
  EngineExit,
  LaunchGrant,
  LaunchPlan,
} from '@berth/supervision'
import type { Devices } from '../device/devices.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Journal } from '../state/journal.ts'
import type { PoolModels } from '../state/pool-models.ts'
import { AGENT_VARIABLE } from '../state/process-scan.ts'
import { hashOfSpec } from '../state/spec-hash.ts'
import { childEnv } from './child-env.ts'
import { grantedDevices, maskedEnv, missingDevice } from './grant-devices.ts'
import type { Instance } from './instance.ts'
import type { LogRing } from './log-ring.ts'
import { LOOPBACK } from './loopback-port.ts'
import { machineOf, type Machine } from './machine.ts'
import { withProbing } from './probing.ts'
import { instanceOfProcess } from './process-instance.ts'
import type { StartTurns } from './start-turns.ts'
import type { LogTail, TailOptions } from './tail-log.ts'

/** What every launch of this agent needs of the world. */
export interface LaunchEnv {
  readonly clock: Clock
  readonly rng: Rng
  readonly spawn: Spawn
  /** Watches a process of an earlier life. Absent: nothing is ever taken over. */
  readonly adopt?: Adopt
  /** Marks every engine as one of this state directory. */
  readonly agentId?: string
  /** Default: the one the agent runs on. */
  readonly machine?: Machine
  readonly journal: Journal
  /** Absent: masks are neither looked up nor exported. */
  readonly devices?: Pick<Devices, 'resolve' | 'faultOf' | 'processes'>
  /** Absent: starts wait for nobody. */
  readonly turns?: StartTurns
  /** Where a model that replaced the one of the pools file is kept. Absent: nowhere. */
  readonly models?: PoolModels
  readonly stateDir: string
  readonly nodePath: string
  readonly enginesDir: string
  readonly embeddedRuntimeDir: string
  readonly agentEnv: Readonly<Record<string, string | undefined>>
}

export interface LaunchRequest {
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  readonly instanceId: string
  readonly ring: LogRing
  readonly log: Logger
  onOutput(): void
  onExit(report: CrashReport, exit: EngineExit): void
}

export type LaunchResult =
  | { readonly kind: 'launched'; readonly instance: Instance }
  | { readonly kind: 'refused'; readonly report: CrashReport }

/** Executes a driver's plan for one instance. Never throws. */
export const launchInstance = async (
  request: LaunchRequest,
  env: LaunchEnv,
): Promise<LaunchResult> => {
  try {
    const missing = missingDevice(request.spec, env) ?? (await stageModel(request.spec, env))
    if (missing) return { kind: 'refused', report: missing }
    const grant = await makeGrant(request.spec, env)
    const plan = planOf(request, grant)
    if (plan.kind === 'attach')
      return {
        kind: 'launched',
        instance: attach(request.instanceId, plan.access, grant, env.clock),
      }
    return { kind: 'launched', instance: await startProcess(request, plan, grant, env) }
  } catch (error) {
    return { kind: 'refused', report: reportOf(error) }
  }
}

const agentMark = ({ agentId }: LaunchEnv): Record<string, string> =>
  agentId === undefined ? {} : { [AGENT_VARIABLE]: agentId }

/** Brings the model of a pool to this machine, or says why it cannot be had. Never throws. */
export const stageModel = async (
  spec: PoolSpec,
  env: Pick<LaunchEnv, 'machine'>,
): Promise<CrashReport | undefined> => {
  if (spec.modelPath === undefined || spec.engine.mode !== 'managed') return undefined
  if (await machineOf(env).hasFile(spec.modelPath)) return undefined
  const message = `There is no model file ${spec.modelPath}. Put it there, or change model of pool ${spec.poolId}.`
  return { kind: 'model_not_found', message, isRetriable: false }
}

const makeGrant = async (spec: PoolSpec, env: LaunchEnv): Promise<LaunchGrant> => {
  const isManaged = spec.engine.mode === 'managed'
  const givenKey = spec.apiKeyEnv === undefined ? '' : (env.agentEnv[spec.apiKeyEnv] ?? '')
  return {
    host: LOOPBACK,
    port: spec.port || (isManaged ? await machineOf(env).findFreePort() : 0),
    ...grantedDevices(spec, env),
    nodePath: env.nodePath,
    enginesDir: env.enginesDir,
    embeddedRuntimeDir: env.embeddedRuntimeDir,
    apiKey: isManaged ? Buffer.from(env.rng.bytes(24)).toString('base64url') : givenKey,
    ...(spec.modelPath === undefined ? {} : { modelPath: spec.modelPath }),
  }
}

/** A server that somebody else runs; a key from the agent's environment wins over the plan's. */
const attach = (
  instanceId: string,
  access: EngineAccess,
  { apiKey }: LaunchGrant,
  clock: Clock,
): Instance => ({
  instanceId,
  access:
    apiKey === ''
      ? access
      : { ...access, headers: { ...access.headers, authorization: `Bearer ${apiKey}` } },
  pid: 0,
  upSinceMs: clock.wall(),
  signal: () => {},
  gone: () => Promise.resolve(),
  release: () => Promise.resolve(),
})

const startProcess = async (
  request: LaunchRequest,
  plan: Extract<LaunchPlan, { readonly kind: 'process' }>,
  grant: LaunchGrant,
  env: LaunchEnv,
): Promise<Instance> => {
  const { spec, instanceId } = request
  const { clock, journal } = env
  const machine = machineOf(env)
  const room = roomOf(env.stateDir, spec.poolId)
  const { cwd, logPath: path } = room
  await machine.makeRoom(room)
  const { agentEnv, mask } = maskedEnv(spec, env)
  await journal.intend(spec.poolId, instanceId, hashOfSpec(spec))
  const child = await env
    .spawn({
      argv: plan.argv,
      env: childEnv(agentEnv, { ...plan.env, ...mask, ...agentMark(env) }, instanceId),
      cwd,
      stdoutPath: path,
      stderrPath: path,
    })
    .catch(async (error: unknown) => {
      await journal.forget(instanceId)
      throw error
    })
  const { pid, startTime } = child
  const upSinceMs = clock.wall()
  const tail = followLog(request, { path, secret: grant.apiKey, clock, machine })
  const { port, apiKey } = grant
  const running = { child, tail, access: plan.access, port, upSinceMs }
  const instance = instanceOfProcess(request, running, env)
  const argvHash = machine.hashOfProcess(pid)
  await journal.record(instanceId, { pid, startTime, argvHash, port, apiKey, upSinceMs })
  return instance
}

/** The driver's plan, asked as the pool wants it. */
export const planOf = ({ driver, spec }: LaunchRequest, grant: LaunchGrant): LaunchPlan => {
  const plan = driver.plan(spec.engine, grant)
  return { ...plan, access: withProbing(plan.access, spec.probing) }
}

/** Folder of a pool's log and work files, and where its engine writes what it prints. */
export const roomOf = (stateDir: string, poolId: string) => {
  const folder = join(stateDir, 'pools', poolId)
  return { cwd: join(folder, 'work'), logPath: join(folder, 'logs', 'engine.log') }
}

const followLog = (
  request: LaunchRequest,
  from: Pick<TailOptions, 'path' | 'secret' | 'clock'> & { readonly machine: Machine },
): LogTail =>
  from.machine.tailLog({
    ...from,
    log: request.log,
    onLines: (lines) => {
      request.ring.push(lines)
      request.onOutput()
    },
  })

/** A binary that is not there stays missing; a full process table may empty. */
const reportOf = (error: unknown): CrashReport => {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code
  const isMissing = code === 'ENOENT' || code === 'EACCES'
  return {
    kind: isMissing ? 'missing_runtime' : 'exit',
    message: messageOf(error),
    isRetriable: !isMissing,
  }
}
