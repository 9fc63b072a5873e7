import type { FoundDevice, GpuProcess } from '@berth/devices'
import type { MemoryUse } from '@berth/memory'

/**
 * What processes hold of the devices of a pool, or `undefined` where that cannot be told: the tool
 * shows none of them (it may be in a container of its own), or not how much they hold.
 */
export const usesOfProcesses = (
  shown: readonly GpuProcess[] | undefined,
  pids: ReadonlySet<number>,
  devices: readonly FoundDevice[],
): readonly MemoryUse[] | undefined => {
  const own = shown?.filter(({ pid }) => pids.has(pid)) ?? []
  if (own.length === 0 || own.some(({ memoryBytes }) => memoryBytes === undefined)) return undefined
  const gpus = devices.filter(({ kind }) => kind !== 'cpu')
  const uses = gpus.map(({ deviceId }) => ({ deviceId, bytes: 0 }))
  for (const { gpuUuid, memoryBytes = 0 } of own) {
    const on = gpus.filter(({ uuid, parentUuid }) => uuid === gpuUuid || parentUuid === gpuUuid)
    // Of two slices of one GPU nobody says which of them a process is on.
    if (on.length !== 1) return undefined
    uses[gpus.indexOf(on[0]!)]!.bytes += memoryBytes
  }
  return uses
}
