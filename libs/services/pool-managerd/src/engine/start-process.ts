import { dirname } from 'node:path'
import type { Child } from '@berth/runtime'
import type { LaunchGrant, LaunchPlan } from '@berth/supervision'
import { AGENT_VARIABLE } from '../state/process-scan.ts'
import { hashOfSpec } from '../state/spec-hash.ts'
import { childEnv } from './child-env.ts'
import { confine, type Confinement } from './confine.ts'
import { followLog } from './follow-log.ts'
import { maskedEnv } from './grant-devices.ts'
import type { LaunchEnv, LaunchRequest, LaunchResult } from './launch-instance.ts'
import { machineOf } from './machine.ts'
import { createMask } from './mask-secrets.ts'
import { instanceOfProcess } from './process-instance.ts'
import { roomOf, type Room } from './room.ts'
import { settledHash } from './settled-hash.ts'

type ProcessPlan = Extract<LaunchPlan, { readonly kind: 'process' }>
type Confined = Extract<Confinement, { readonly kind: 'confined' }>

/** Executes a plan that is a process of this host. Throws when it cannot be made. */
export const startProcess = async (
  request: LaunchRequest,
  plan: ProcessPlan,
  grant: LaunchGrant,
  env: LaunchEnv,
): Promise<LaunchResult> => {
  const { spec, instanceId } = request
  const { clock, journal } = env
  const { port, apiKey } = grant
  const machine = machineOf(env)
  const room = roomOf(env.stateDir, spec.poolId, instanceId)
  const known = environmentOf(request, plan, env)
  const confined = await confine(
    { argv: plan.argv, folder: dirname(room.home), path: known.PATH, log: request.log },
    env.privileges,
  )
  if (confined.kind === 'refused') return confined
  const { prefix, owner } = confined
  await machine.makeRoom(owner ? { ...room, owner } : room)
  await journal.intend(spec.poolId, instanceId, hashOfSpec(spec))
  const variables = withHome(known, room, confined)
  const child = await spawnIn(room, { argv: [...prefix, ...plan.argv], variables }, env).catch(
    async (error: unknown) => {
      await journal.forget(instanceId)
      await machine.clearRoom(room.cwd)
      throw error
    },
  )
  const { pid, startTime } = child
  const upSinceMs = clock.wall()
  const cgroup = await env.cgroups?.open(instanceId)
  await cgroup?.add(pid)
  const mask = createMask(variables)
  const onLines = () => request.onOutput()
  const log = followLog(request, { path: room.logPath, mask, onLines }, env)
  const { access } = plan
  const running = { child, log, access, port, upSinceMs, cwd: room.cwd, cgroup }
  const instance = instanceOfProcess(request, running, env)
  try {
    const argvHash = await settledHash(pid, { argv: plan.argv, prefix }, { machine, clock })
    await journal.record(instanceId, { pid, startTime, argvHash, port, apiKey, upSinceMs })
  } catch (error) {
    // Nobody would find it again.
    instance.signal('SIGKILL')
    await instance.release()
    throw error
  }
  return { kind: 'launched', instance }
}

const environmentOf = (
  { spec, instanceId }: LaunchRequest,
  plan: ProcessPlan,
  env: LaunchEnv,
): Record<string, string> => {
  const { agentEnv, mask } = maskedEnv(spec, env)
  const mark = env.agentId === undefined ? {} : { [AGENT_VARIABLE]: env.agentId }
  return childEnv(agentEnv, { ...plan.env, ...mask, ...mark }, instanceId)
}

/** The home of root is closed to another user, and a number has no name to be looked up. */
const withHome = (
  variables: Readonly<Record<string, string>>,
  { home }: Room,
  { owner }: Confined,
): Record<string, string> =>
  owner
    ? { ...variables, HOME: home, USER: `berth-${owner.uid}`, LOGNAME: `berth-${owner.uid}` }
    : { ...variables }

const spawnIn = (
  { cwd, logPath }: Room,
  what: {
    readonly argv: readonly string[]
    readonly variables: Readonly<Record<string, string>>
  },
  env: LaunchEnv,
): Promise<Child> =>
  env.spawn({
    argv: what.argv,
    env: what.variables,
    cwd,
    stdoutPath: logPath,
    stderrPath: logPath,
  })
