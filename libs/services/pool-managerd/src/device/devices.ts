import {
  resolveMask,
  type DeviceFault,
  type FoundDevice,
  type GpuProcess,
  type HostMemory,
  type ResolvedMask,
} from '@berth/devices'
import type { Cancel, Clock } from '@berth/kernel'
import { cpuDevice } from './cpu-inventory.ts'
import { createGpuTools } from './gpu-tools.ts'
import type { KernelLog } from './kernel-log.ts'
import type { RunTool } from './run-tool.ts'
import { createXidFaults } from './xid-faults.ts'

/** The devices of this host, looked at every 5 s. */
export interface Devices extends Disposable {
  readonly found: readonly FoundDevice[]
  /** A driver does not answer: devices that were not found may be there. */
  readonly isIncomplete: boolean
  resolve(mask: readonly string[]): ResolvedMask
  /** Why a pool with this mask cannot be served, and what to do; none while it can. */
  faultOf(mask: readonly string[]): string | undefined
  /** Processes on the GPUs, asked now; `undefined` when nobody can tell. */
  processes(): Promise<readonly GpuProcess[] | undefined>
  /** Looks now; one look at a time, whoever asks. */
  look(): Promise<void>
  /** Calls `fn` after each look: `hasChanged` when it saw what the fleet should know soon. */
  onLook(fn: (hasChanged: boolean) => void): Cancel
}

export interface DevicesOptions {
  readonly clock: Clock
  readonly run: RunTool
  readonly cpuName: string
  readonly hostMemory: () => HostMemory
  /** Absent: Xid errors are not seen. */
  readonly kernelLog?: KernelLog
}

const LOOK_MS = 5_000
/** Nothing is known before the first `look`; the next ones follow by themselves. */
export const createDevices = (options: DevicesOptions): Devices => {
  const { clock, run, hostMemory, kernelLog } = options
  const tools = createGpuTools(run, clock, hostMemory)
  const listeners = new Set<(hasChanged: boolean) => void>()
  const xids = createXidFaults()
  let found: readonly FoundDevice[] = [cpuDevice(options.cpuName, hostMemory())]
  let looking: Promise<void> | undefined
  let asking: Promise<readonly GpuProcess[] | undefined> | undefined
  let cancel: Cancel = () => undefined
  let isClosed = false

  const lookAll = async () => {
    xids.note((await kernelLog?.read()) ?? [], clock.now())
    await tools.look()
    const before = found
    found = [cpuDevice(options.cpuName, hostMemory()), ...tools.devices.map(withXid)]
    if (isClosed) return
    const hasChanged = differ(before, found)
    for (const fn of [...listeners]) fn(hasChanged)
  }
  const withXid = (device: FoundDevice): FoundDevice => {
    const fault = device.fault ?? xids.faultOf(device, clock.now())
    return fault ? { ...device, fault } : device
  }
  const look = () =>
    (looking ??= lookAll().finally(() => {
      looking = undefined
      cancel()
      if (!isClosed) cancel = clock.after(LOOK_MS, () => void look())
    }))
  const processesNow = async () => {
    // A tool that hangs in this look is not asked a second time.
    await looking
    return tools.processes()
  }
  const resolve = (mask: readonly string[]) =>
    resolveMask(mask, found, { isIncomplete: tools.fault !== undefined })
  return {
    get found() {
      return found
    },
    get isIncomplete() {
      return tools.fault !== undefined
    },
    resolve,
    faultOf: (mask) => faultOf(resolve(mask), tools.fault),
    processes: () => (asking ??= processesNow().finally(() => (asking = undefined))),
    look,
    onLook: (fn) => {
      listeners.add(fn)
      return () => listeners.delete(fn)
    },
    [Symbol.dispose]: () => {
      isClosed = true
      cancel()
      listeners.clear()
      kernelLog?.[Symbol.dispose]()
    },
  }
}

const faultOf = (
  { devices, unknown, problems }: ResolvedMask,
  broken: DeviceFault | undefined,
): string | undefined => {
  const bad = devices.find(({ fault }) => fault !== undefined)
  if (bad?.fault) return `Device ${bad.deviceId} (${bad.uuid}): ${bad.fault.message}`
  if (problems.length > 0) return `devices${problems[0] ?? ''}`
  return unknown.length > 0 && broken
    ? `Devices ${unknown.join(', ')}: ${broken.message}`
    : undefined
}

/** A change of figures that is worth a snapshot of its own. */
const NOTABLE_BYTES = 256 * 1_048_576

const differ = (before: readonly FoundDevice[], after: readonly FoundDevice[]): boolean =>
  before.length !== after.length ||
  after.some((device, index) => {
    const old = before[index]
    const moved = Math.abs((device.memoryFreeBytes ?? 0) - (old?.memoryFreeBytes ?? 0))
    return (
      old?.uuid !== device.uuid ||
      old.fault?.message !== device.fault?.message ||
      (device.kind !== 'cpu' && moved >= NOTABLE_BYTES)
    )
  })
