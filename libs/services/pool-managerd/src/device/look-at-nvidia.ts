import {
  GPU_FIELDS,
  gpuQueryArgs,
  readGpuList,
  readGpus,
  readMigMemory,
  readToolFaults,
  readUnknownField,
  toNvidiaDevices,
  type GpuReading,
  type HostMemory,
} from '@berth/devices'
import type { RunTool, ToolOutcome } from './run-tool.ts'
import type { LookThroughTool, ToolLook } from './tool-look.ts'

const TOOL = 'nvidia-smi'
type Answered = Extract<ToolOutcome, { readonly kind: 'answered' }>

/**
 * Looks at the NVIDIA GPUs: one question, two more where a GPU is cut into slices. A field that
 * the driver does not know is left out from then on. When one lost GPU keeps the tool from
 * showing the others, they are asked for by name.
 */
export const lookAtNvidia = (run: RunTool, hostMemory: () => HostMemory): LookThroughTool => {
  let fields = GPU_FIELDS
  let known: readonly GpuReading[] = []

  const ask = async (uuids: readonly string[] = []): Promise<ToolOutcome> => {
    for (;;) {
      const outcome = await run(TOOL, gpuQueryArgs(fields, uuids))
      const unknown = outcome.kind === 'answered' ? readUnknownField(outcome.text) : undefined
      if (unknown === undefined || !fields.includes(unknown)) return outcome
      fields = fields.filter((field) => field !== unknown)
    }
  }
  const look = async (answer: Answered): Promise<ToolLook> => {
    const complaints = readToolFaults(answer)
    const lost = new Set(complaints.map(({ pciBusId }) => pciBusId))
    let gpus = readGpus(answer.out, fields)
    const others = known.filter(({ pciBusId }) => pciBusId !== undefined && !lost.has(pciBusId))
    if (gpus.length === 0 && lost.size > 0 && !lost.has(undefined) && others.length > 0) {
      const again = await ask(others.map(({ uuid }) => uuid))
      if (again.kind === 'answered') gpus = readGpus(again.out, fields)
    }
    if (gpus.length >= known.length) known = gpus
    const slices = gpus.some(({ isPartitioned }) => isPartitioned) ? await askSlices(run) : {}
    const devices = toNvidiaDevices({ gpus, ...slices, host: hostMemory() })
    return { kind: 'seen', devices, complaints }
  }
  return async () => {
    const answer = await ask()
    return answer.kind === 'answered' ? look(answer) : { kind: answer.kind }
  }
}

/** Where a question has no answer the slices, or their memory, are not known this time. */
const askSlices = async (run: RunTool) => {
  const list = await run(TOOL, ['-L'])
  const all = await run(TOOL, ['-q', '-x'])
  return {
    ...(list.kind === 'answered' ? { list: readGpuList(list.out) } : {}),
    ...(all.kind === 'answered' ? { sliceMemory: readMigMemory(all.out) } : {}),
  }
}
