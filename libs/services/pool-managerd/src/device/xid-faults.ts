import { faultOfXid, readXid, type DeviceFault, type FoundDevice } from '@berth/devices'

/** A driver that does not say when a GPU was reset is believed again after this long. */
const HOLD_MS = 900_000
const KEPT = 256

/** What the kernel log told of GPUs, for drivers that do not tell themselves. */
export interface XidFaults {
  /** Takes records of the log; true when one of them takes a GPU out. */
  note(records: readonly string[], now: number): boolean
  faultOf(device: FoundDevice, now: number): DeviceFault | undefined
}

export const createXidFaults = (): XidFaults => {
  const noted = new Map<string, { readonly fault: DeviceFault; readonly at: number }>()
  return {
    note: (records, now) => {
      const found = records.flatMap((record) => {
        const xid = readXid(record)
        const fault = xid && faultOfXid(xid.code)
        return fault ? [{ busId: xid.pciBusId, fault }] : []
      })
      for (const { busId, fault } of found)
        if (noted.has(busId) || noted.size < KEPT) noted.set(busId, { fault, at: now })
      return found.length > 0
    },
    faultOf: ({ pciBusId = '', reportsRecovery = false }, now) => {
      const known = noted.get(pciBusId)
      if (!known || reportsRecovery) return undefined
      if (now - known.at < HOLD_MS) return known.fault
      noted.delete(pciBusId)
      return undefined
    },
  }
}
