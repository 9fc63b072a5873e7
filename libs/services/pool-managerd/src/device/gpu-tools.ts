import {
  GPU_PROCESS_ARGS,
  readGpuProcesses,
  type DeviceFault,
  type FoundDevice,
  type GpuProcess,
  type HostMemory,
} from '@berth/devices'
import type { Clock } from '@berth/kernel'
import { foldLook, type ToolBook } from './fold-look.ts'
import { lookAtAmd } from './look-at-amd.ts'
import { lookAtNvidia } from './look-at-nvidia.ts'
import type { RunTool } from './run-tool.ts'
import type { LookThroughTool, ToolName } from './tool-look.ts'

/** What the tools of this host tell of its GPUs. */
export interface GpuTools {
  /** Asks each of them once, one after the other. Never two looks at a time. */
  look(): Promise<void>
  readonly devices: readonly FoundDevice[]
  /** Why GPUs may be there that were not found. */
  readonly fault: DeviceFault | undefined
  /** Asks now; `undefined` when nobody can tell, or the tool hangs as it is. */
  processes(): Promise<readonly GpuProcess[] | undefined>
}

/** A tool that is not installed is looked for this seldom. */
const MISSING_MS = 60_000

interface Watch {
  readonly lookThrough: LookThroughTool
  book: ToolBook
  nextAt: number
}

export const createGpuTools = (
  run: RunTool,
  clock: Clock,
  hostMemory: () => HostMemory,
): GpuTools => {
  const nvidia = watch('nvidia-smi', lookAtNvidia(run, hostMemory))
  const watches = [nvidia, watch('rocm-smi', lookAtAmd(run))]

  const lookOnce = async (each: Watch) => {
    if (clock.now() < each.nextAt) return
    const look = await each.lookThrough()
    const others = watches.filter((other) => other !== each)
    const taken = new Set(others.flatMap(({ book }) => book.devices.map((one) => one.deviceId)))
    each.book = foldLook(each.book, look, taken)
    const isAbsent = look.kind === 'missing' && each.book.devices.length === 0
    each.nextAt = isAbsent ? clock.now() + MISSING_MS : 0
  }
  return {
    look: async () => {
      for (const each of watches) await lookOnce(each)
    },
    get devices() {
      return watches.flatMap(({ book }) => book.devices)
    },
    get fault() {
      return watches.map(({ book }) => book.fault).find((fault) => fault !== undefined)
    },
    processes: async () => {
      if (nvidia.book.misses > 0) return undefined
      const answer = await run('nvidia-smi', GPU_PROCESS_ARGS)
      return answer.kind === 'answered' && answer.code === 0
        ? readGpuProcesses(answer.out)
        : undefined
    },
  }
}

const watch = (tool: ToolName, lookThrough: LookThroughTool): Watch => ({
  lookThrough,
  book: { tool, devices: [], misses: 0 },
  nextAt: 0,
})
