import type { GpuProcess } from '@berth/devices'
import type { Instance } from '../engine/instance.ts'
import { machineOf } from '../engine/machine.ts'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import { pidsOfGroup } from '../state/process-scan.ts'

/**
 * What all processes of an engine hold of GPUs, by the driver. `undefined` where that cannot be
 * told: no GPU, none of them shown, or not how much they hold.
 */
export const treeMemory = async (
  { pid, instanceId }: Instance,
  env: Pick<LaunchEnv, 'devices' | 'machine'>,
): Promise<number | undefined> => {
  const shown = await env.devices?.processes()
  const tree = machineOf(env).findTree(instanceId)
  const pids = new Set([pid, ...pidsOfGroup(pid), ...tree.map((member) => member.pid)])
  return shown && heldBy(shown, pids)
}

const heldBy = (shown: readonly GpuProcess[], pids: ReadonlySet<number>): number | undefined => {
  const own = shown.filter(({ pid }) => pids.has(pid))
  if (own.length === 0 || own.some(({ memoryBytes }) => memoryBytes === undefined)) return undefined
  return own.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0)
}
