import { hungTool, lost, type DeviceFault, type FoundDevice } from '@berth/devices'
import type { ToolLook, ToolName } from './tool-look.ts'

/** What is known of the devices of one tool, over all looks of an agent's life. */
export interface ToolBook {
  readonly tool: ToolName
  /** In the order they were first seen, lost ones too. */
  readonly devices: readonly FoundDevice[]
  /** Looks in a row that had no answer, or one that said nothing. */
  readonly misses: number
  /** Why nothing can be said about this tool's devices now, those never seen among them. */
  readonly fault?: DeviceFault
}

/** Once may be a busy host; three times in a row is a broken one. */
const MISSES_MAX = 3
const LOOK_SECONDS = 5
/** More than any host has; replaced GPUs are not remembered for ever. */
const DEVICES_MAX = 256

/** What a look adds to what is known. A device keeps its id, whatever index it gets later. */
export const foldLook = (
  book: ToolBook,
  look: ToolLook,
  takenIds: ReadonlySet<string> = new Set(),
): ToolBook => {
  const { tool, devices: before } = book
  switch (look.kind) {
    case 'missing':
      return before.length === 0 ? { tool, devices: [], misses: 0 } : missed(book)
    case 'silent':
      return missed(book)
    case 'seen': {
      const general = look.complaints.find(({ pciBusId }) => pciBusId === undefined)?.fault
      // What is known by its name is believed at once; a failure of unknown cause may pass.
      if (general?.kind === 'tool_failed' && look.devices.length === 0) return missed(book, general)
      return { ...seen(book, look, general, takenIds), tool, misses: 0 }
    }
  }
}

const missed = (book: ToolBook, said?: DeviceFault): ToolBook => {
  const misses = book.misses + 1
  // With nothing known yet there is nothing to lose by saying so at once.
  if (misses < MISSES_MAX && book.devices.length > 0) return { ...book, misses }
  const fault = said ?? hungTool(book.tool, misses * LOOK_SECONDS)
  // The seconds of the first report stay: a text that changes each time is no news.
  const kept = book.fault?.kind === fault.kind ? book.fault : fault
  return {
    ...book,
    misses,
    fault: kept,
    devices: book.devices.map((each) => ({ ...each, fault: kept })),
  }
}

type Seen = Extract<ToolLook, { readonly kind: 'seen' }>

const seen = (
  { devices: before, tool }: ToolBook,
  look: Seen,
  general: DeviceFault | undefined,
  takenIds: ReadonlySet<string>,
): Pick<ToolBook, 'devices' | 'fault'> => {
  const ids = new Set([...takenIds, ...before.map(({ deviceId }) => deviceId)])
  const now = new Map(look.devices.map((device) => [device.uuid, device]))
  const complaintOf = ({ pciBusId }: FoundDevice) =>
    look.complaints.find((each) => each.pciBusId !== undefined && each.pciBusId === pciBusId)?.fault
  const known = before.flatMap((old): FoundDevice[] => {
    const device = now.get(old.uuid)
    now.delete(old.uuid)
    if (device)
      return [withFault({ ...device, deviceId: old.deviceId }, complaintOf(device) ?? device.fault)]
    const complaint = complaintOf(old) ?? general
    if (complaint) return [withFault(old, complaint)]
    // A complaint about another GPU kept the tool from showing this one: it may be well.
    if (look.complaints.length > 0) return [old]
    // A slice that is gone was taken away by somebody; a GPU that is gone is lost.
    return old.kind === 'nvidia_mig' ? [] : [withFault(old, lost(`${tool} shows it no more`))]
  })
  const fresh = [...now.values()].map((device) => {
    const deviceId = ids.has(device.deviceId) ? device.uuid : device.deviceId
    ids.add(deviceId)
    return withFault({ ...device, deviceId }, complaintOf(device) ?? device.fault)
  })
  const devices = [...known, ...fresh].slice(0, DEVICES_MAX)
  const unplaced = look.complaints.find(
    ({ pciBusId }) => pciBusId && !devices.some((device) => device.pciBusId === pciBusId),
  )
  const fault = (look.devices.length === 0 ? general : undefined) ?? unplaced?.fault
  return { devices, ...(fault ? { fault } : {}) }
}

const withFault = ({ fault: _, ...device }: FoundDevice, fault: DeviceFault | undefined) =>
  fault === undefined ? device : { ...device, fault }
