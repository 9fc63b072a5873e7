import { assert } from '@berth/kernel'
import { correctionFor } from './correction.ts'
import {
  type DeviceBalance,
  type Ledger,
  type LedgerEntry,
  type LedgerShare,
  balanceOf,
} from './ledger.ts'

/** A load that asks for memory, before its engine starts. */
export interface MemoryClaim {
  readonly entryId: string
  readonly poolId: string
  readonly modelId: string
  readonly learnKey: string
  /** Of each device it needs, in bytes, as estimated. A device stands once. */
  readonly perDevice: readonly { readonly deviceId: string; readonly bytes: number }[]
  /** The engine takes exactly this, whatever it needs (vLLM): no buffer, nothing to correct. */
  readonly isReservation?: boolean
  /** Instead of the policy's, for this load. */
  readonly headroomShare?: number
}

/** Why a device cannot take a load: what `INSUFFICIENT_VRAM` has to name. */
export interface Shortfall extends DeviceBalance {
  /** What the load needs here, corrected and with its buffer. */
  readonly requiredBytes: number
}

/** What became of a claim. Devices whose memory nobody can measure cannot refuse. */
export type ReserveOutcome =
  | {
      readonly kind: 'reserved'
      readonly ledger: Ledger
      readonly entry: LedgerEntry
      /** Devices of which neither free nor total memory is known: it was let in unseen. */
      readonly unmeasured: readonly string[]
    }
  /** It would fit once the memory of engines that ended is free: ask again after a measurement. */
  | {
      readonly kind: 'wait'
      readonly shortfalls: readonly Shortfall[]
      readonly releasing: readonly LedgerEntry[]
      /** When to stop waiting. */
      readonly deadlineMs: number
    }
  | { readonly kind: 'refused'; readonly shortfalls: readonly Shortfall[] }
  | { readonly kind: 'full'; readonly maxEntries: number }

/**
 * Books a load: its estimate, corrected by what was learned and with the buffer, must leave the
 * headroom of every device free (000-T032). What other loads booked and have not taken counts as
 * taken, so that two loads at once never get the same bytes.
 */
export const reserveMemory = (ledger: Ledger, claim: MemoryClaim): ReserveOutcome => {
  assert(
    !ledger.entries.some(({ entryId }) => entryId === claim.entryId),
    'an entry is booked once',
  )
  const { maxEntries } = ledger.policy
  if (ledger.entries.length >= maxEntries) return { kind: 'full', maxEntries }
  const correction = claim.isReservation ? 1 : correctionFor(ledger.corrections, claim.learnKey)
  const shares = sharesOf(ledger, claim, correction)
  const policy = claim.headroomShare === undefined ? {} : { headroomShare: claim.headroomShare }
  const asked = { ...ledger, policy: { ...ledger.policy, ...policy } }
  const needs = shares.map((share) => needOf(asked, share))
  const shortfalls = needs.filter((need) => roomOn(asked, need) < need.requiredBytes)
  if (shortfalls.length > 0) return waitOrRefuse(ledger, shortfalls)
  const { entryId, poolId, modelId, learnKey } = claim
  const entry = {
    entryId,
    poolId,
    modelId,
    learnKey,
    correction,
    shares,
    state: 'reserved',
  } as const
  const unmeasured = needs
    .filter(
      ({ totalBytes, availableBytes }) => totalBytes === undefined && availableBytes === undefined,
    )
    .map(({ deviceId }) => deviceId)
  return {
    kind: 'reserved',
    ledger: { ...ledger, entries: [...ledger.entries, entry] },
    entry,
    unmeasured,
  }
}

/** What a claim comes to on each device, without booking it: corrected, and with the buffer. */
export const weighClaim = (ledger: Ledger, claim: MemoryClaim): readonly Shortfall[] => {
  const correction = claim.isReservation ? 1 : correctionFor(ledger.corrections, claim.learnKey)
  return sharesOf(ledger, claim, correction).map((share) => needOf(ledger, share))
}

const sharesOf = (ledger: Ledger, claim: MemoryClaim, correction: number): LedgerShare[] => {
  const ids = claim.perDevice.map(({ deviceId }) => deviceId)
  assert(new Set(ids).size === ids.length, 'a device stands once in a claim')
  const factor = claim.isReservation ? 1 : correction * (1 + ledger.policy.bufferShare)
  return claim.perDevice.map(({ deviceId, bytes }) => {
    assert(Number.isFinite(bytes) && bytes >= 0, 'bytes are asked for')
    return {
      deviceId,
      estimateBytes: bytes,
      reservedBytes: Math.ceil(bytes * factor),
      shownBytes: 0,
    }
  })
}

const needOf = (ledger: Ledger, { deviceId, reservedBytes }: LedgerShare): Shortfall => ({
  ...balanceOf(ledger, deviceId),
  requiredBytes: reservedBytes,
})

/**
 * What a load may take of a device. Where free memory cannot be measured (unified memory), the
 * total less what is booked; where the total is not known either, anything.
 */
const roomOn = (ledger: Ledger, need: Shortfall): number => {
  const { availableBytes, totalBytes, headroomBytes } = need
  if (need.requiredBytes === 0) return 0
  if (availableBytes !== undefined) return availableBytes - headroomBytes
  if (totalBytes === undefined) return Infinity
  return totalBytes - headroomBytes - bookedOn(ledger, need.deviceId)
}

const bookedOn = ({ entries }: Ledger, deviceId: string): number =>
  entries
    .flatMap(({ shares }) => shares)
    .filter((share) => share.deviceId === deviceId)
    .reduce((sum, share) => sum + (share.usedBytes ?? share.reservedBytes), 0)

const waitOrRefuse = (ledger: Ledger, shortfalls: readonly Shortfall[]): ReserveOutcome => {
  const short = new Set(shortfalls.map(({ deviceId }) => deviceId))
  const releasing = ledger.entries.flatMap((entry) =>
    entry.state === 'releasing' && entry.shares.some(({ deviceId }) => short.has(deviceId))
      ? [entry]
      : [],
  )
  if (releasing.length === 0) return { kind: 'refused', shortfalls }
  const deadlineMs = Math.max(...releasing.map((entry) => entry.deadlineMs))
  return { kind: 'wait', shortfalls, releasing, deadlineMs }
}
