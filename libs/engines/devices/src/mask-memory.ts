import type { FoundDevice } from './device.ts'

/** What a pool has of the GPUs of its mask. Absent where one of them does not tell, or none is. */
export interface MaskFacts {
  readonly vramTotalBytes?: number
  readonly vramFreeBytes?: number
  /** Of the least able GPU; empty where one does not tell. */
  readonly computeCapability: string
}

/** Sums the GPUs of a mask; a budget is what the pool may take of each. */
export const maskFacts = (devices: readonly FoundDevice[], budgetBytes = Infinity): MaskFacts => {
  const gpus = devices.filter(({ kind }) => kind !== 'cpu')
  const total = sum(gpus, ({ memoryTotalBytes: bytes }) => bytes, budgetBytes)
  const free = sum(gpus, ({ memoryFreeBytes: bytes }) => bytes, budgetBytes)
  return {
    ...(total === undefined ? {} : { vramTotalBytes: total }),
    ...(free === undefined ? {} : { vramFreeBytes: free }),
    computeCapability: lowestCapability(gpus) ?? '',
  }
}

const sum = (
  gpus: readonly FoundDevice[],
  bytesOf: (gpu: FoundDevice) => number | undefined,
  most: number,
): number | undefined =>
  gpus.length === 0
    ? undefined
    : gpus.reduce<number | undefined>((before, gpu) => {
        const bytes = bytesOf(gpu)
        return before === undefined || bytes === undefined
          ? undefined
          : before + Math.min(bytes, most)
      }, 0)

/** By number, not by text: 12.0 is more than 9.0. */
const lowestCapability = (gpus: readonly FoundDevice[]): string | undefined => {
  const known = gpus.map(({ computeCapability }) => computeCapability)
  if (known.length === 0 || known.includes('')) return undefined
  return known.reduce((least, other) => (Number(other) < Number(least) ? other : least))
}
