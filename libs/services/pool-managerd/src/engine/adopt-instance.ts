import { BerthError } from '@berth/kernel'
import { loadOf } from '../memory/book-launch.ts'
import type { AdoptableEntry } from '../state/adoptable.ts'
import { followLog } from './follow-log.ts'
import type { Instance } from './instance.ts'
import { grantedModel, planOf, type LaunchEnv, type LaunchRequest } from './launch-instance.ts'
import { LOOPBACK } from './loopback-port.ts'
import { createMask } from './mask-secrets.ts'
import { adoptedContainer } from './prepare-container.ts'
import { instanceOfProcess } from './process-instance.ts'
import { roomOf } from './room.ts'

/**
 * Takes over a process that an earlier life of the agent started: the same instance, reached by
 * the plan that the same pool makes for its port and key. What it has printed so far fills the
 * ring and is no sign of life. Throws `ENGINE_FAILED` when the plan has no process.
 */
export const adoptInstance = async (
  request: LaunchRequest,
  { process: known }: AdoptableEntry,
  env: LaunchEnv,
): Promise<Instance> => {
  const { spec } = request
  const { port, apiKey, upSinceMs } = known
  const plan = planOf(request, {
    host: LOOPBACK,
    port,
    apiKey,
    // Their memory is what it has taken: a plan for a new start would find too little.
    devices: spec.devices,
    nodePath: env.nodePath,
    enginesDir: env.enginesDir,
    embeddedRuntimeDir: env.embeddedRuntimeDir,
    ...grantedModel(request, env),
  })
  if (plan.kind !== 'process' || !env.adopt)
    throw new BerthError('ENGINE_FAILED', `Pool ${spec.poolId} runs no process to take over.`)
  env.memory?.adopt(loadOf(request))
  let isHistory = true
  const { cwd, logPath: path } = roomOf(env.stateDir, spec.poolId, request.instanceId)
  const mask = createMask({ ...env.agentEnv, BERTH_ENGINE_API_KEY: apiKey })
  const onLines = () => {
    if (!isHistory) request.onOutput()
  }
  // How far it had come is over; what it took is not.
  const onSign: LaunchRequest['onSign'] = (sign) => {
    if (!isHistory || sign.kind === 'memory' || sign.kind === 'kv_room') request.onSign(sign)
  }
  const log = followLog(request, { path, mask, onLines, onSign }, env)
  await log.catchUp()
  isHistory = false
  const child = env.adopt(known)
  const cgroup = await env.cgroups?.open(request.instanceId)
  const container = await adoptedContainer(request, env)
  const { access, stopGraceMs } = plan
  const running = { child, log, access, port, upSinceMs, cwd, cgroup, container, stopGraceMs }
  return instanceOfProcess(request, running, env)
}
