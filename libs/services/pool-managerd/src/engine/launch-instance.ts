import { join } from 'node:path'
import { messageOf, sleep, type Clock, type Rng } from '@berth/kernel'
import type { Child, Logger, Spawn } from '@berth/runtime'
import type {
  CrashReport,
  EngineAccess,
  EngineDriver,
  LaunchGrant,
  LaunchPlan,
} from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Journal } from '../state/journal.ts'
import { childEnv } from './child-env.ts'
import type { Instance } from './instance.ts'
import type { LogRing } from './log-ring.ts'
import { LOOPBACK } from './loopback-port.ts'
import { thisMachine, type Machine } from './machine.ts'

/** What every launch of this agent needs of the world. */
export interface LaunchEnv {
  readonly clock: Clock
  readonly rng: Rng
  readonly spawn: Spawn
  /** Default: the one the agent runs on. */
  readonly machine?: Machine
  readonly journal: Journal
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
  onExit(report: CrashReport): void
}

export type LaunchResult =
  | { readonly kind: 'launched'; readonly instance: Instance }
  | { readonly kind: 'refused'; readonly report: CrashReport }

/** After the group is dead, a port that stays taken is somebody else's. */
const PORT_WAIT_MS = 5_000
const GONE_POLL_MS = 25

/** Executes a driver's plan for one instance. Never throws. */
export const launchInstance = async (
  request: LaunchRequest,
  env: LaunchEnv,
): Promise<LaunchResult> => {
  try {
    const missing = await missingModel(request.spec, machineOf(env))
    if (missing) return { kind: 'refused', report: missing }
    const grant = await makeGrant(request.spec, env)
    const plan = request.driver.plan(request.spec.engine, grant)
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

const missingModel = async (spec: PoolSpec, machine: Machine): Promise<CrashReport | undefined> => {
  if (spec.modelPath === undefined || spec.engine.mode !== 'managed') return undefined
  if (await machine.hasFile(spec.modelPath)) return undefined
  const message = `There is no model file ${spec.modelPath}. Put it there, or change model of pool ${spec.poolId}.`
  return { kind: 'model_not_found', message, isRetriable: false }
}

const makeGrant = async (spec: PoolSpec, env: LaunchEnv): Promise<LaunchGrant> => {
  const isManaged = spec.engine.mode === 'managed'
  const givenKey = spec.apiKeyEnv === undefined ? '' : (env.agentEnv[spec.apiKeyEnv] ?? '')
  return {
    host: LOOPBACK,
    port: spec.port || (isManaged ? await machineOf(env).findFreePort() : 0),
    devices: spec.devices,
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
})

const startProcess = async (
  request: LaunchRequest,
  plan: Extract<LaunchPlan, { readonly kind: 'process' }>,
  grant: LaunchGrant,
  env: LaunchEnv,
): Promise<Instance> => {
  const { spec, instanceId, log } = request
  const { clock, journal } = env
  const machine = machineOf(env)
  const folder = join(env.stateDir, 'pools', spec.poolId)
  const cwd = join(folder, 'work')
  const path = join(folder, 'logs', 'engine.log')
  await machine.makeRoom({ cwd, logPath: path })
  await journal.intend(spec.poolId, instanceId)
  const child = await env
    .spawn({
      argv: plan.argv,
      env: childEnv(env.agentEnv, plan.env, instanceId),
      cwd,
      stdoutPath: path,
      stderrPath: path,
    })
    .catch(async (error: unknown) => {
      await journal.forget(instanceId)
      throw error
    })
  const tail = machine.tailLog({
    path,
    clock,
    log,
    secret: grant.apiKey,
    onLines: (lines) => {
      request.ring.push(lines)
      request.onOutput()
    },
  })
  child.onExit((exit) => {
    // Its last words first: they say why.
    void tail[Symbol.asyncDispose]().then(() =>
      request.onExit(request.driver.classify(request.ring.last(200), exit)),
    )
  })
  const { pid, startTime } = child
  await journal.record(instanceId, {
    pid,
    startTime,
    argvHash: machine.hashOfProcess(pid),
    port: grant.port,
  })
  return {
    instanceId,
    access: plan.access,
    pid,
    upSinceMs: clock.wall(),
    signal: (signal) => child.signalGroup(signal),
    gone: async (signal) => {
      await untilGone(child, grant.port, env, signal)
      await journal.forget(instanceId)
    },
  }
}

const untilGone = async (child: Child, port: number, env: LaunchEnv, signal: AbortSignal) => {
  const { clock } = env
  while (child.groupIsAlive()) await sleep(clock, GONE_POLL_MS, signal)
  const deadline = clock.now() + PORT_WAIT_MS
  while (clock.now() < deadline && !(await machineOf(env).portIsFree(port))) {
    await sleep(clock, GONE_POLL_MS, signal)
  }
}

const machineOf = ({ machine = thisMachine }: LaunchEnv): Machine => machine

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
