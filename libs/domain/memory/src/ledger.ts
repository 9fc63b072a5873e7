import { type Corrections, NO_CORRECTIONS } from './correction.ts'

/** What a device has, as it was measured last. What nobody could tell is absent, never 0. */
export interface DeviceMeasurement {
  readonly deviceId: string
  readonly totalBytes?: number
  readonly freeBytes?: number
}

/** How careful a ledger is. Shares are 0 to 1. */
export interface LedgerPolicy {
  /** Of each device's total memory: kept free whatever is asked for. */
  readonly headroomShare: number
  /** Added to estimates, which are no promises. */
  readonly bufferShare: number
  /** Longest wait for the memory of an engine that ended. */
  readonly releaseTimeoutMs: number
  /** Loads at once, over all devices. */
  readonly maxEntries: number
}

/** Requirement 000-T032: an estimate and 10 % must leave 20 % of the device free. */
export const DEFAULT_LEDGER_POLICY: LedgerPolicy = {
  headroomShare: 0.2,
  bufferShare: 0.1,
  releaseTimeoutMs: 60_000,
  maxEntries: 256,
}

/** What one load holds of one device. */
export interface LedgerShare {
  readonly deviceId: string
  /** As the estimate said, before correction and buffer. */
  readonly estimateBytes: number
  /** What it was admitted with: corrected, and with the buffer. */
  readonly reservedBytes: number
  /** As measured last; absent until it was. */
  readonly usedBytes?: number
  /** Of it, what the last measurement of the device shows already: the rest is still to be taken. */
  readonly shownBytes: number
}

/**
 * One load of one model: booked before its engine starts, observed when the engine has what it
 * needs, releasing from its end until its memory was seen free.
 */
export type LedgerEntry = {
  /** Unique among loads, such as the instance and the model. */
  readonly entryId: string
  readonly poolId: string
  readonly modelId: string
  /** What is learned from it is learned for this key (`correctionKey`). */
  readonly learnKey: string
  /** Observed over estimated in earlier loads; 1 when there was none. */
  readonly correction: number
  readonly shares: readonly LedgerShare[]
} & (
  | { readonly state: 'reserved' | 'observed' }
  | {
      readonly state: 'releasing'
      readonly deadlineMs: number
      /** What others than this ledger's entries had of each device as this one ended. */
      readonly foreign: readonly { readonly deviceId: string; readonly bytes: number }[]
      /** The most this one may have had of each device: one that was loading, all it had booked. */
      readonly mostHeld: readonly { readonly deviceId: string; readonly bytes: number }[]
    }
)

/** The memory of a host's devices as its agent books it. Plain data: every change is a new one. */
export interface Ledger {
  readonly policy: LedgerPolicy
  readonly devices: readonly DeviceMeasurement[]
  readonly entries: readonly LedgerEntry[]
  readonly corrections: Corrections
}

/** A ledger with nothing in it; `corrections` are what an earlier life of the agent learned. */
export const emptyLedger = (
  policy: LedgerPolicy = DEFAULT_LEDGER_POLICY,
  corrections: Corrections = NO_CORRECTIONS,
): Ledger => ({ policy, devices: [], entries: [], corrections })

/** What the ledger says of one device. */
export interface DeviceBalance {
  readonly deviceId: string
  readonly totalBytes?: number
  readonly measuredFreeBytes?: number
  /** Booked by loads that have not taken it yet. */
  readonly pendingBytes: number
  /** Measured free less what is pending, never below 0; absent where free is not measured. */
  readonly availableBytes?: number
  /** Kept free whatever is asked for; 0 where the total is not known. */
  readonly headroomBytes: number
}

/** The balance of a device; of one that was never measured nothing but what is pending is known. */
export const balanceOf = (ledger: Ledger, deviceId: string): DeviceBalance => {
  const device = ledger.devices.find((each) => each.deviceId === deviceId)
  const pendingBytes = pendingOn(ledger, deviceId)
  const headroomBytes = Math.ceil((device?.totalBytes ?? 0) * ledger.policy.headroomShare)
  const known = { deviceId, pendingBytes, headroomBytes }
  const total = device?.totalBytes === undefined ? {} : { totalBytes: device.totalBytes }
  if (device?.freeBytes === undefined) return { ...known, ...total }
  return {
    ...known,
    ...total,
    measuredFreeBytes: device.freeBytes,
    availableBytes: Math.max(0, device.freeBytes - pendingBytes),
  }
}

/**
 * What is booked, or known to be taken, and not in the last measurement yet: free memory that was
 * measured before an engine grew is not free.
 */
const pendingOn = ({ entries }: Ledger, deviceId: string): number => {
  let pending = 0
  for (const entry of entries) {
    for (const share of entry.shares) {
      if (share.deviceId === deviceId) {
        pending += Math.max(0, wantedBy(entry, share) - share.shownBytes)
      }
    }
  }
  return pending
}

/** What a load may have of a device by now, or will have. */
const wantedBy = (entry: LedgerEntry, share: LedgerShare): number => {
  const { deviceId, reservedBytes, usedBytes = reservedBytes } = share
  if (entry.state === 'releasing') {
    return entry.mostHeld.find((each) => each.deviceId === deviceId)?.bytes ?? 0
  }
  return entry.state === 'reserved' ? Math.max(reservedBytes, usedBytes) : usedBytes
}
