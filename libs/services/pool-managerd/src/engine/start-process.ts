import type { LaunchGrant } from '@berth/supervision'
import { hashOfSpec } from '../state/spec-hash.ts'
import { followLog } from './follow-log.ts'
import type { LaunchEnv, LaunchRequest, LaunchResult } from './launch-instance.ts'
import { machineOf } from './machine.ts'
import { createMask } from './mask-secrets.ts'
import { prepareContainer } from './prepare-container.ts'
import { prepareProcess, type Prepared, type ProcessPlan } from './prepare-process.ts'
import { instanceOfProcess } from './process-instance.ts'
import { roomOf, type Room } from './room.ts'
import { settledHash } from './settled-hash.ts'

/**
 * Executes a plan as a process of this host, or as one that stands for a container. Throws when
 * it cannot be made.
 */
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
  const prepared = spec.container
    ? await prepareContainer(request, { plan, grant, room }, spec.container, env)
    : await prepareProcess(request, plan, room, env)
  if (prepared.kind === 'refused') return prepared
  const { owner, container } = prepared
  await machine.makeRoom(owner ? { ...room, owner } : room)
  await journal.intend(spec.poolId, instanceId, hashOfSpec(spec))
  const child = await spawnIn(room, prepared, env).catch(async (error: unknown) => {
    await journal.forget(instanceId)
    await machine.clearRoom(room.cwd)
    throw error
  })
  const { pid, startTime } = child
  const upSinceMs = clock.wall()
  const cgroup = await env.cgroups?.open(instanceId)
  await cgroup?.add(pid)
  const mask = createMask(prepared.variables)
  const onLines = () => request.onOutput()
  const onSign: LaunchRequest['onSign'] = (sign) => request.onSign(sign)
  const log = followLog(request, { path: room.logPath, mask, onLines, onSign }, env)
  const { access, stopGraceMs } = plan
  const running = {
    ...{ child, log, access, port, upSinceMs, cwd: room.cwd, cgroup, container, stopGraceMs },
  }
  const instance = instanceOfProcess(request, running, env)
  try {
    const argvHash = await settledHash(child, prepared, { machine, clock })
    await journal.record(instanceId, { pid, startTime, argvHash, port, apiKey, upSinceMs })
  } catch (error) {
    // Nobody would find it again.
    instance.signal('SIGKILL')
    await instance.release()
    throw error
  }
  return { kind: 'launched', instance }
}

const spawnIn = ({ cwd, logPath }: Room, { argv, variables }: Prepared, env: LaunchEnv) =>
  env.spawn({ argv, env: variables, cwd, stdoutPath: logPath, stderrPath: logPath })
