import type { Device } from './host-snapshot.ts'
import type { PoolSnapshot } from './pool-snapshot.ts'

/** The memory of a pool as decisions read it, in bytes. */
export interface PoolMemory {
  readonly vramTotalBytes: number
  readonly vramFreeBytes: number
  readonly kvTotalBytes: number
  readonly kvFreeBytes: number
}

/**
 * What a pool has for a model and its jobs. Over several devices everything is split: each device
 * must hold its share, so that the one with the least for its share bounds the whole. Without a
 * split of its own a pool has equal shares, and unequal devices count as the smallest times their
 * number.
 */
export const readMemory = (devices: readonly Device[], pool: PoolSnapshot): PoolMemory => {
  const own = pool.deviceMask.map((id) =>
    // A CPU's memory is the host's: no video memory, and what is free of it says little.
    devices.find(({ deviceId, kind }) => deviceId === id && kind !== 'cpu'),
  )
  const splitTotal = wholeOf(
    own.map((device) => device?.memoryTotalBytes),
    pool.deviceSplit,
  )
  const splitFree = wholeOf(
    own.map((device) => device?.memoryFreeBytes),
    pool.deviceSplit,
  )
  const total = least(pool.vramTotalBytes, splitTotal)
  const free = least(pool.vramFreeBytes, splitFree) ?? total
  return {
    vramTotalBytes: total ?? 0,
    vramFreeBytes: free ?? 0,
    kvTotalBytes: pool.kvTotalBytes ?? pool.kvFreeBytes ?? total ?? Infinity,
    kvFreeBytes: pool.kvFreeBytes ?? pool.kvTotalBytes ?? free ?? Infinity,
  }
}

/** The most that fits when each device takes its share; undefined when one cannot tell its size. */
const wholeOf = (
  sizes: readonly (number | undefined)[],
  split: readonly number[],
): number | undefined => {
  const isSplit = split.length === sizes.length && split.every((part) => part >= 0)
  const parts = isSplit ? sum(split) : sizes.length
  let whole = Infinity
  for (const [at, bytes] of sizes.entries()) {
    if (bytes === undefined) return undefined
    const part = isSplit ? split[at]! : 1
    if (part > 0) whole = Math.min(whole, (bytes * parts) / part)
  }
  return Number.isFinite(whole) ? Math.floor(whole) : undefined
}

/** A pool may be given less of a device than the device has, and devices less than they add up to. */
const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : Math.min(a, b ?? a)

const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0)
