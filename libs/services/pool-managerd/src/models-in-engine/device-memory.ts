import type { Devices } from '../device/devices.ts'

/** The memory of the GPUs of a pool. */
export interface DeviceMemory {
  /** What is free of them all together, looked at now; `undefined` when one does not tell. */
  measure(): Promise<number | undefined>
}

/** `undefined` for a pool without GPUs. */
export const deviceMemoryOf = (
  mask: readonly string[],
  devices: (Pick<Devices, 'resolve'> & Partial<Pick<Devices, 'look'>>) | undefined,
): DeviceMemory | undefined => {
  const look = devices?.look
  if (!look || mask.every((device) => device === 'cpu')) return undefined
  return {
    measure: async () => {
      await look()
      const { devices: found, unknown } = devices.resolve(mask)
      const free = found.filter(({ kind }) => kind !== 'cpu').map((gpu) => gpu.memoryFreeBytes)
      if (unknown.length > 0 || free.length === 0) return undefined
      return free.some((bytes) => bytes === undefined)
        ? undefined
        : free.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
    },
  }
}
