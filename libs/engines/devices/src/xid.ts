import type { DeviceFault } from './device.ts'
import { readBusId } from './gpu-query.ts'

/** An error the NVIDIA driver wrote to the kernel log. */
export interface XidRecord {
  readonly pciBusId: string
  readonly code: number
}

/** Reads a line of the kernel log, in whatever frame: `NVRM: Xid (PCI:0000:9b:00): 119, ...`. */
export const readXid = (line: string): XidRecord | undefined => {
  const [, where = '', code = ''] =
    /NVRM: Xid \(PCI:([\da-f:.]{1,20})\): (\d{1,4})\b/i.exec(line.slice(0, 1_024)) ?? []
  const pciBusId = readBusId(where)
  return pciBusId === undefined ? undefined : { pciBusId, code: Number(code) }
}

/**
 * What an Xid means for its GPU; none for those that only end a process (13, 31, 43, 45, 94 and
 * the like: the engine crashes, and is restarted). Source: NVIDIA's catalogue of Xid errors.
 */
export const faultOfXid = (code: number): DeviceFault | undefined => {
  const meaning = MEANINGS.get(code)
  if (meaning === undefined) return undefined
  const next = NEEDS_REBOOT.has(code)
    ? 'Reboot the host; if it returns, look at power, seating and temperature.'
    : 'Stop what runs on it and `nvidia-smi --gpu-reset -i <uuid>`; if it returns, reboot.'
  return { kind: 'xid', message: `The kernel log has Xid ${code} of this GPU: ${meaning}. ${next}` }
}

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [46, 'the GPU stopped processing'],
  [48, 'an uncorrectable (double-bit) memory error'],
  [62, 'its microcontroller halted'],
  [64, 'memory rows could not be remapped'],
  [74, 'an NVLink error'],
  [79, 'it has fallen off the bus'],
  [92, 'a high rate of memory errors'],
  [95, 'an uncontained memory error'],
  [119, 'its system processor (GSP) does not answer'],
  [120, 'its system processor (GSP) failed'],
  [140, 'an unrecovered memory error'],
  [143, 'it failed to start up'],
])

const NEEDS_REBOOT: ReadonlySet<number> = new Set([79, 143])
