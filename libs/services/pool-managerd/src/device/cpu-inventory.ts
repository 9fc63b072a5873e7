import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import type { FoundDevice, HostMemory } from '@berth/devices'

/** The RAM of this host, now. */
export const hostMemory = (): HostMemory => ({ totalBytes: totalmem(), freeBytes: freemem() })

/** The processor and its RAM as a device of its own. */
export const cpuDevice = (name: string, { totalBytes, freeBytes }: HostMemory): FoundDevice => ({
  ...{ deviceId: 'cpu', uuid: 'cpu', name, kind: 'cpu', computeCapability: '' },
  memoryTotalBytes: totalBytes,
  memoryFreeBytes: freeBytes,
  cores: availableParallelism(),
})

/** Costs a file of some hundred lines: read once. */
export const cpuName = (): string => cpus()[0]?.model.trim() || 'CPU'
