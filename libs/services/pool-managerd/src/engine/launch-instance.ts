import { BerthError, messageOf, type Clock, type Rng } from '@berth/kernel'
import type { Adopt, Logger, Spawn } from '@berth/runtime'
import type {
  CrashReport,
  EngineAccess,
  EngineDriver,
  EngineExit,
  LaunchGrant,
  LaunchPlan,
  LogSign,
} from '@berth/supervision'
import type { Devices } from '../device/devices.ts'
import { bookLaunch } from '../memory/book-launch.ts'
import type { MemoryBook } from '../memory/memory-book.ts'
import type { ModelFiles } from '../model-files/model-files.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { Journal } from '../state/journal.ts'
import type { LoadTimes } from '../state/load-times.ts'
import type { PoolIntents } from '../state/pool-intents.ts'
import type { PoolModels } from '../state/pool-models.ts'
import type { WantedModels } from '../state/wanted-models.ts'
import type { Cgroups } from './cgroup.ts'
import type { EnginePrograms, FoundProgram } from './engine-programs.ts'
import { grantedDevices, missingDevice } from './grant-devices.ts'
import type { Instance } from './instance.ts'
import type { LogRing } from './log-ring.ts'
import { LOOPBACK } from './loopback-port.ts'
import { machineOf, type Machine } from './machine.ts'
import type { ModelDigests } from './model-digests.ts'
import { insideOf } from './prepare-container.ts'
import type { EngineUser, Privileges } from './privileges.ts'
import { roomOf } from './room.ts'
import { startProcess } from './start-process.ts'
import type { StagedModel } from './stage-model.ts'
import type { StartTurns } from './start-turns.ts'
import { portTaken } from './tell-exit.ts'

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
  readonly devices?: Pick<Devices, 'resolve' | 'faultOf' | 'processes'> &
    Partial<Pick<Devices, 'look'>>
  /** Absent: nothing is booked, and devices are as full as engines make them. */
  readonly memory?: MemoryBook
  /** Absent: digests of models are neither known nor verified. */
  readonly digests?: ModelDigests
  /** Absent: models are files that are here, or names. */
  readonly modelFiles?: ModelFiles
  /** Absent: nobody looks for the programs of engines. */
  readonly programs?: EnginePrograms
  /** Absent: starts wait for nobody. */
  readonly turns?: StartTurns
  /** Where it is kept what was commanded of the pools. Absent: nowhere. */
  readonly intents?: PoolIntents
  /** Where a model that replaced the one of the pools file is kept. Absent: nowhere. */
  readonly models?: PoolModels
  /** Where it is kept which models engines of several are to hold. Absent: nowhere. */
  readonly wantedModels?: WantedModels
  /** How long earlier loads took. Absent: nobody knows. */
  readonly loadTimes?: LoadTimes
  /** Absent: engines run with the privileges of the agent. */
  readonly privileges?: Privileges
  /** Who the agent is. Absent: nobody knows, and containers are run for root. */
  readonly self?: EngineUser
  /** Absent: engines stay in the control group of the agent. */
  readonly cgroups?: Cgroups
  /** Nothing may be fetched. Absent is false. */
  readonly isOffline?: boolean
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
  /** As it was staged. Absent: its engine reads no files of ours. */
  readonly model?: StagedModel
  readonly ring: LogRing
  readonly log: Logger
  /** Aborted once nobody wants the start any more. */
  readonly signal?: AbortSignal
  /** What the start waits for, in words. */
  onStep?(step: string): void
  onOutput(): void
  /** A line of its log told something. */
  onSign(sign: LogSign): void
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
    const missing = missingDevice(request.spec, env)
    if (missing) return { kind: 'refused', report: missing }
    const { port } = request.spec
    if (port !== 0 && request.spec.policy.hasProcess && !(await machineOf(env).portIsFree(port)))
      return { kind: 'refused', report: portTaken(port, env) }
    const found: FoundProgram = (await env.programs?.find(request, env)) ?? { kind: 'found' }
    if (found.kind === 'refused') return found
    const { kind: _, ...program } = found
    const short = await bookLaunch(request, program.programVersion, env)
    if (short) return { kind: 'refused', report: short }
    const grant = { ...(await makeGrant(request, env)), ...program }
    const plan = planOf(request, grant)
    if (plan.kind === 'attach')
      return {
        kind: 'launched',
        instance: attach(request.instanceId, plan.access, grant, env.clock),
      }
    const result = await startProcess(request, plan, grant, env)
    if (result.kind === 'refused') env.memory?.cancel(request.instanceId)
    return result
  } catch (error) {
    env.memory?.cancel(request.instanceId)
    return { kind: 'refused', report: reportOf(error) }
  }
}

const makeGrant = async (
  { spec, instanceId, model }: LaunchRequest,
  env: LaunchEnv,
): Promise<LaunchGrant> => {
  const isManaged = spec.engine.mode === 'managed'
  const givenKey = spec.apiKeyEnv === undefined ? '' : (env.agentEnv[spec.apiKeyEnv] ?? '')
  return {
    host: LOOPBACK,
    port: spec.port || (isManaged ? await machineOf(env).findFreePort() : 0),
    ...grantedDevices(spec, env),
    nodePath: env.nodePath,
    enginesDir: env.enginesDir,
    embeddedRuntimeDir: env.embeddedRuntimeDir,
    homeDir: roomOf(env.stateDir, spec.poolId, instanceId).home,
    apiKey: isManaged ? Buffer.from(env.rng.bytes(24)).toString('base64url') : givenKey,
    ...grantedModel({ spec, model }, env),
  }
}

/** What an engine is told of the files of its model. */
export const grantedModel = (
  { model, spec }: Pick<LaunchRequest, 'spec'> & { readonly model?: StagedModel | undefined },
  env: Pick<LaunchEnv, 'isOffline'>,
): Pick<LaunchGrant, 'modelPath' | 'modelRevision' | 'modelFacts' | 'isOffline'> => ({
  ...(model ? { modelPath: model.path } : {}),
  ...(model?.revision === undefined ? {} : { modelRevision: model.revision }),
  ...(model?.facts ? { modelFacts: model.facts } : {}),
  ...(env.isOffline === true || spec.isAirgapped === true ? { isOffline: true } : {}),
})

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

/** How to bring the pool's engine to life; nothing is started. */
export const planOf = ({ driver, spec }: LaunchRequest, grant: LaunchGrant): LaunchPlan => {
  if (!spec.container) return driver.plan(spec.engine, grant)
  const plan = driver.plan(spec.engine, insideOf(grant))
  return { ...plan, access: { ...plan.access, baseUrl: `http://${LOOPBACK}:${grant.port}` } }
}

/** A binary that is not there stays missing; a full process table may empty. */
const reportOf = (error: unknown): CrashReport => {
  const { reason } = BerthError.from(error)
  // What a driver cannot plan stays so until somebody changes the pool; memory may come free.
  if (reason === 'CONFIG_INVALID')
    return { kind: 'bad_option', message: messageOf(error), isRetriable: false }
  if (reason === 'INSUFFICIENT_VRAM')
    return { kind: 'out_of_vram', message: messageOf(error), isRetriable: true }
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code
  const isMissing = code === 'ENOENT' || code === 'EACCES'
  return {
    kind: isMissing ? 'missing_runtime' : 'exit',
    message: messageOf(error),
    isRetriable: !isMissing,
  }
}
