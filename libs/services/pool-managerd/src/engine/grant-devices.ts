import { MASK_VARIABLES, maskEnv, type FoundDevice } from '@berth/devices'
import type { CrashReport, GrantedGpu, LaunchGrant } from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { LaunchEnv } from './launch-instance.ts'

/** A device may fail between two looks: then this start finds out. */
export const missingDevice = ({ devices }: PoolSpec, env: LaunchEnv): CrashReport | undefined => {
  const message = env.devices?.faultOf(devices)
  return message === undefined ? undefined : { kind: 'device_error', message, isRetriable: true }
}

const maskOf = ({ devices }: PoolSpec, env: LaunchEnv): readonly FoundDevice[] | undefined =>
  env.devices?.resolve(devices).devices

/** What a plan may know of the devices of its pool. */
export const grantedDevices = (
  spec: PoolSpec,
  env: LaunchEnv,
): Pick<LaunchGrant, 'devices' | 'gpus' | 'vramBudgetBytes'> => {
  const gpus = (maskOf(spec, env) ?? []).flatMap((device): GrantedGpu[] => {
    const { deviceId, uuid, kind, computeCapability } = device
    const { memoryTotalBytes: total, memoryFreeBytes: free } = device
    if (kind === 'cpu') return []
    return [
      {
        ...{ deviceId, uuid, kind, computeCapability },
        ...(total === undefined ? {} : { memoryTotalBytes: total }),
        ...(free === undefined ? {} : { memoryFreeBytes: free }),
      },
    ]
  })
  const { devices, vramBudgetBytes } = spec
  return { devices, gpus, ...(vramBudgetBytes === undefined ? {} : { vramBudgetBytes }) }
}

/** The mask as the engine sees it; what the agent was started with does not shine through. */
export const maskedEnv = (spec: PoolSpec, env: LaunchEnv) => {
  const mask = maskOf(spec, env)
  if (mask === undefined) return { agentEnv: env.agentEnv, mask: {} }
  const own = Object.entries(env.agentEnv).filter(([name]) => !MASK_NAMES.has(name))
  return { agentEnv: Object.fromEntries(own), mask: maskEnv(mask) }
}

const MASK_NAMES: ReadonlySet<string> = new Set(MASK_VARIABLES)
