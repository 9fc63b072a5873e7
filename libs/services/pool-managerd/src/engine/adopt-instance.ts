import { BerthError } from '@berth/kernel'
import type { AdoptableEntry } from '../state/adoptable.ts'
import type { Instance } from './instance.ts'
import { grantedDevices } from './grant-devices.ts'
import { planOf, roomOf, type LaunchEnv, type LaunchRequest } from './launch-instance.ts'
import { LOOPBACK } from './loopback-port.ts'
import { machineOf } from './machine.ts'
import { instanceOfProcess } from './process-instance.ts'

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
  const { spec, log } = request
  const { port, apiKey, upSinceMs } = known
  const plan = planOf(request, {
    host: LOOPBACK,
    port,
    apiKey,
    ...grantedDevices(spec, env),
    nodePath: env.nodePath,
    enginesDir: env.enginesDir,
    embeddedRuntimeDir: env.embeddedRuntimeDir,
    ...(spec.modelPath === undefined ? {} : { modelPath: spec.modelPath }),
  })
  if (plan.kind !== 'process' || !env.adopt)
    throw new BerthError('ENGINE_FAILED', `Pool ${spec.poolId} runs no process to take over.`)
  let isHistory = true
  const tail = machineOf(env).tailLog({
    path: roomOf(env.stateDir, spec.poolId).logPath,
    clock: env.clock,
    log,
    secret: apiKey,
    onLines: (lines) => {
      request.ring.push(lines)
      if (!isHistory) request.onOutput()
    },
  })
  await tail.catchUp()
  isHistory = false
  const child = env.adopt(known)
  return instanceOfProcess(request, { child, tail, access: plan.access, port, upSinceMs }, env)
}
