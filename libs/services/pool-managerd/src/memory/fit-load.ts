import { weighClaim, type Ledger, type Shortfall } from '@berth/memory'
import type { MemoryBook } from './memory-book.ts'
import type { MemoryLoad, WeighedLoad } from './memory-load.ts'
import { refuseShort, refuseWeighed } from './refuse-load.ts'

/** What a load would come to, and whether it fits; nothing is booked. */
export interface Fit {
  readonly weighed: WeighedLoad
  /** Of each device: what it needs, and what there is. */
  readonly needs: readonly Shortfall[]
  readonly correction: number
  /** Why it does not fit; absent when it does. */
  readonly refusal?: string
  /** Pools whose end would make room, the cheapest first. */
  readonly evictable: readonly string[]
}

/**
 * Weighs a model for a pool as a start would. What the pool's own engine holds counts as free: the
 * model would take its place. Rejects with what a driver's plan throws.
 */
export const fitLoad = async (load: MemoryLoad, book: MemoryBook): Promise<Fit> => {
  await book.look(load)
  const strangers = await book.strangers()
  const { ledger, devices } = book.without(load.spec.poolId)
  const weighed = book.weigh(load, devices)
  const { headroomShare } = weighed.claim
  const policy = headroomShare === undefined ? {} : { headroomShare }
  const asked: Ledger = { ...ledger, policy: { ...ledger.policy, ...policy } }
  const needs = weighClaim(asked, weighed.claim)
  const shortfalls = needs.filter(isShort)
  const refused =
    refuseWeighed(load, weighed, asked, devices) ??
    (shortfalls.length > 0
      ? refuseShort(load, { ...weighed, shortfalls, lost: [] }, asked, strangers)
      : undefined)
  return {
    ...{ weighed, needs, correction: book.correctionOf(weighed) },
    ...(refused ? { refusal: refused.message } : {}),
    evictable: evictableOf(asked, shortfalls),
  }
}

/** Where free memory is not measured only the total can be exceeded. */
const isShort = (need: Shortfall): boolean => {
  const { requiredBytes, availableBytes, totalBytes = Infinity, headroomBytes } = need
  return requiredBytes > (availableBytes ?? totalBytes) - headroomBytes && requiredBytes > 0
}

/** Single ones that would do, the smallest first; else all that would do together. */
const evictableOf = ({ entries }: Ledger, shortfalls: readonly Shortfall[]): readonly string[] => {
  if (shortfalls.length === 0) return []
  const freedBy = (of: typeof entries, deviceId: string) =>
    of
      .filter(({ state }) => state === 'observed')
      .flatMap(({ shares }) => shares)
      .filter((share) => share.deviceId === deviceId)
      .reduce((sum, { usedBytes, reservedBytes }) => sum + (usedBytes ?? reservedBytes), 0)
  const suffices = (of: typeof entries) =>
    shortfalls.every(
      ({ deviceId, requiredBytes, availableBytes = 0, headroomBytes }) =>
        availableBytes - headroomBytes + freedBy(of, deviceId) >= requiredBytes,
    )
  const sizeOf = (entry: (typeof entries)[number]) =>
    shortfalls.reduce((sum, { deviceId }) => sum + freedBy([entry], deviceId), 0)
  const holders = entries.filter((entry) => sizeOf(entry) > 0)
  const single = holders.filter((entry) => suffices([entry]))
  if (single.length > 0)
    return single.sort((a, b) => sizeOf(a) - sizeOf(b)).map(({ modelId }) => modelId)
  return suffices(holders) ? holders.map(({ modelId }) => modelId) : []
}
