import {
  GPU_PROCESS_ARGS,
  readGpuProcesses,
  resolveMask,
  type DeviceFault,
  type FoundDevice,
  type GpuProcess,
  type HostMemory,
  type ResolvedMask,
} from '@berth/devices'
import type { Cancel, Clock } from '@berth/kernel'
import { cpuDevice } from './cpu-inventory.ts'
import { foldLook, type ToolBook } from './fold-look.ts'
import type { KernelLog } from './kernel-log.ts'
import { lookAtAmd } from './look-at-amd.ts'
import { lookAtNvidia } from './look-at-nvidia.ts'
import type { RunTool } from './run-tool.ts'
import type { LookThroughTool, ToolName } from './tool-look.ts'
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
/** A tool that is not installed is looked for this seldom. */
const MISSING_MS = 60_000

interface Watch {
  readonly lookThrough: LookThroughTool
  book: ToolBook
  nextAt: number
}

/** Nothing is known before the first `look`; the next ones follow by themselves. */
export const createDevices = (options: DevicesOptions): Devices => {
  const { clock, run, hostMemory, kernelLog } = options
  const watches = [
    watch('nvidia-smi', lookAtNvidia(run, hostMemory)),
    watch('rocm-smi', lookAtAmd(run)),
  ]
  const listeners = new Set<(hasChanged: boolean) => void>()
  const xids = createXidFaults()
  let found: readonly FoundDevice[] = [cpuDevice(options.cpuName, hostMemory())]
  let looking: Promise<void> | undefined
  let asking: Promise<readonly GpuProcess[] | undefined> | undefined
  let cancel: Cancel = () => undefined
  let isClosed = false

  const lookAll = async () => {
    xids.note((await kernelLog?.read()) ?? [], clock.now())
    for (const each of watches) await lookOnce(each)
    const before = found
    const gpus = watches.flatMap(({ book }) => book.devices)
    found = [cpuDevice(options.cpuName, hostMemory()), ...gpus.map(withXid)]
    if (isClosed) return
    const hasChanged = differ(before, found)
    for (const fn of [...listeners]) fn(hasChanged)
  }
  const lookOnce = async (each: Watch) => {
    if (clock.now() < each.nextAt) return
    const look = await each.lookThrough()
    const others = watches.filter((other) => other !== each)
    const taken = new Set(others.flatMap(({ book }) => book.devices.map((one) => one.deviceId)))
    each.book = foldLook(each.book, look, taken)
    const isAbsent = look.kind === 'missing' && each.book.devices.length === 0
    each.nextAt = isAbsent ? clock.now() + MISSING_MS : 0
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
  const brokenTool = (): DeviceFault | undefined =>
    watches.map(({ book }) => book.fault).find((fault) => fault !== undefined)
  const resolve = (mask: readonly string[]) =>
    resolveMask(mask, found, { isIncomplete: brokenTool() !== undefined })
  return {
    get found() {
      return found
    },
    get isIncomplete() {
      return brokenTool() !== undefined
    },
    resolve,
    faultOf: (mask) => faultOf(resolve(mask), brokenTool()),
    processes: () => (asking ??= askProcesses(run).finally(() => (asking = undefined))),
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

const watch = (tool: ToolName, lookThrough: LookThroughTool): Watch => ({
  lookThrough,
  book: { tool, devices: [], misses: 0 },
  nextAt: 0,
})

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

const askProcesses = async (run: RunTool): Promise<readonly GpuProcess[] | undefined> => {
  const answer = await run('nvidia-smi', GPU_PROCESS_ARGS)
  return answer.kind === 'answered' && answer.code === 0 ? readGpuProcesses(answer.out) : undefined
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
