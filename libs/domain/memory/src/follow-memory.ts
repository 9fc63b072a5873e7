import { learn } from './correction.ts'
import type { DeviceMeasurement, Ledger, LedgerEntry, LedgerShare } from './ledger.ts'

/** Memory of one device as one load has it. */
export interface MemoryUse {
  readonly deviceId: string
  readonly bytes: number
}

/**
 * Notes what a load has taken so far, by the memory of its processes or by the buffers its engine
 * reports; what is booked and taken no longer counts twice. A load that is releasing and uses 0 has
 * given back what it had. An entry that is not there is no error: measurements come late.
 */
export const observeMemory = (
  ledger: Ledger,
  entryId: string,
  uses: readonly MemoryUse[],
): Ledger =>
  change(ledger, entryId, (entry) => ({ ...entry, shares: withUses(entry.shares, uses) }))

/**
 * Ends a load that is as large as it gets: it holds what was measured, and the next load like it is
 * corrected by it. Devices that nobody measured keep what was booked for them.
 */
export const concludeLoad = (
  ledger: Ledger,
  entryId: string,
  uses: readonly MemoryUse[],
): Ledger => {
  const entry = ledger.entries.find((each) => each.entryId === entryId)
  if (entry?.state !== 'reserved') return observeMemory(ledger, entryId, uses)
  const shares = withUses(entry.shares, uses)
  const measured = shares.filter(({ usedBytes }) => usedBytes !== undefined)
  const corrections = learn(ledger.corrections, entry.learnKey, {
    estimateBytes: sum(measured.map(({ estimateBytes }) => estimateBytes)),
    usedBytes: sum(measured.map(({ usedBytes }) => usedBytes ?? 0)),
  })
  return change({ ...ledger, corrections }, entryId, () => ({
    ...entry,
    shares,
    state: 'observed',
  }))
}

/** Gives back what was booked for an engine that was never started. */
export const cancelReservation = (ledger: Ledger, entryId: string): Ledger => ({
  ...ledger,
  entries: ledger.entries.filter((entry) => entry.entryId !== entryId),
})

/**
 * The engine of a load has ended. What it held counts as held until a measurement shows it free, or
 * until the deadline of the policy.
 */
export const releaseMemory = (ledger: Ledger, entryId: string, nowMs: number): Ledger =>
  change(ledger, entryId, (entry) => {
    if (entry.state === 'releasing') return entry
    const foreign = entry.shares.flatMap(({ deviceId }) => {
      const bytes = foreignOn(ledger, deviceId)
      return bytes === undefined ? [] : [{ deviceId, bytes }]
    })
    const deadlineMs = nowMs + ledger.policy.releaseTimeoutMs
    const isLoading = entry.state === 'reserved'
    const mostHeld = entry.shares.map(({ deviceId, reservedBytes, usedBytes = reservedBytes }) => ({
      deviceId,
      bytes: isLoading ? Math.max(reservedBytes, usedBytes) : usedBytes,
    }))
    return { ...entry, state: 'releasing', deadlineMs, foreign, mostHeld }
  })

/** Memory that did not come back in time. */
export interface OverdueRelease {
  readonly entry: LedgerEntry
  /** Of each device: what is in use that no load of this ledger explains. */
  readonly held: readonly { readonly deviceId: string; readonly unexplainedBytes?: number }[]
}

/** A measurement, and what it settled. */
export interface MeasureOutcome {
  readonly ledger: Ledger
  /** Their memory was seen free. */
  readonly freed: readonly LedgerEntry[]
  /** Given up on: what is measured free counts now, and somebody should look. */
  readonly overdue: readonly OverdueRelease[]
}

/**
 * Takes over a measurement of all devices. Loads that end are settled by it: on a device where
 * free memory cannot be measured at once, else when what no load explains is no more than it was.
 */
export const measureDevices = (
  ledger: Ledger,
  devices: readonly DeviceMeasurement[],
  nowMs: number,
): MeasureOutcome => {
  const measured = { ...ledger, devices, entries: ledger.entries.map(withShown) }
  const freed: LedgerEntry[] = []
  const overdue: OverdueRelease[] = []
  const entries = measured.entries.filter((entry) => {
    if (entry.state !== 'releasing') return true
    const isFreed = entry.shares.every((share) => isShareFreed(measured, share))
    if (isFreed) freed.push(entry)
    else if (nowMs >= entry.deadlineMs) overdue.push(reportOf(measured, entry))
    else return true
    return false
  })
  return { ledger: { ...measured, entries }, freed, overdue }
}

/** Engines give back a little less than they had: contexts of others grow, drivers keep pages. */
const TOLERANCE_SHARE = 0.05
const TOLERANCE_BYTES = 64 * 1024 ** 2

/**
 * Several loads that end on one device are settled together: which of them gave back what cannot
 * be told by the sum.
 */
const isShareFreed = (ledger: Ledger, { deviceId, usedBytes }: LedgerShare): boolean => {
  if (usedBytes === 0) return true
  const unexplained = unexplainedOn(ledger, deviceId)
  if (unexplained === undefined) return true
  const ending = ledger.entries.flatMap((entry) => (entry.state === 'releasing' ? [entry] : []))
  const before = ending
    .flatMap(({ foreign }) => foreign)
    .filter((each) => each.deviceId === deviceId)
    .map(({ bytes }) => bytes)
  const held = sum(ending.flatMap(({ shares }) => sharesOn(shares, deviceId)).map(holdOf))
  const tolerance = Math.max(TOLERANCE_BYTES, held * TOLERANCE_SHARE)
  return unexplained <= Math.max(0, ...before) + Math.min(tolerance, held / 2)
}

/** In use, and not by the loads that go on. */
const unexplainedOn = (ledger: Ledger, deviceId: string): number | undefined => {
  const device = ledger.devices.find((each) => each.deviceId === deviceId)
  if (device?.totalBytes === undefined || device.freeBytes === undefined) return undefined
  const going = ledger.entries.filter(({ state }) => state !== 'releasing')
  const explained = sum(going.flatMap(({ shares }) => sharesOn(shares, deviceId)).map(holdOf))
  return Math.max(0, device.totalBytes - device.freeBytes - explained)
}

/** In use by nobody of this ledger. */
const foreignOn = (ledger: Ledger, deviceId: string): number | undefined => {
  const unexplained = unexplainedOn(ledger, deviceId)
  if (unexplained === undefined) return undefined
  const ending = ledger.entries.filter(({ state }) => state === 'releasing')
  return Math.max(
    0,
    unexplained - sum(ending.flatMap(({ shares }) => sharesOn(shares, deviceId)).map(holdOf)),
  )
}

/** What a load has of a device, as far as one can tell. */
const holdOf = ({ usedBytes, estimateBytes }: LedgerShare): number => usedBytes ?? estimateBytes

const sharesOn = (shares: readonly LedgerShare[], deviceId: string): LedgerShare[] =>
  shares.filter((share) => share.deviceId === deviceId)

const reportOf = (ledger: Ledger, entry: LedgerEntry): OverdueRelease => ({
  entry,
  held: entry.shares.map(({ deviceId }) => {
    const unexplainedBytes = unexplainedOn(ledger, deviceId)
    return unexplainedBytes === undefined ? { deviceId } : { deviceId, unexplainedBytes }
  }),
})

const withUses = (shares: readonly LedgerShare[], uses: readonly MemoryUse[]): LedgerShare[] =>
  shares.map((share) => {
    const use = uses.find(({ deviceId }) => deviceId === share.deviceId)
    return use === undefined ? share : { ...share, usedBytes: Math.max(0, use.bytes) }
  })

/** What a load had before the devices were measured is in that measurement. */
const withShown = (entry: LedgerEntry): LedgerEntry => ({
  ...entry,
  shares: entry.shares.map((share) => ({ ...share, shownBytes: shownOf(entry, share) })),
})

const shownOf = (
  entry: LedgerEntry,
  { deviceId, usedBytes, reservedBytes }: LedgerShare,
): number => {
  if (entry.state === 'releasing') {
    return entry.mostHeld.find((each) => each.deviceId === deviceId)?.bytes ?? 0
  }
  return usedBytes ?? (entry.state === 'observed' ? reservedBytes : 0)
}

const change = (
  ledger: Ledger,
  entryId: string,
  next: (entry: LedgerEntry) => LedgerEntry,
): Ledger => ({
  ...ledger,
  entries: ledger.entries.map((entry) => (entry.entryId === entryId ? next(entry) : entry)),
})

const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0)
