import type { FoundDevice } from './device.ts'
import type { ListedGpu, MigSlice } from './gpu-list.ts'
import type { GpuReading } from './gpu-query.ts'
import { memoryOfProfile, type SliceMemory } from './mig-memory.ts'

/** The RAM of the host, which some GPUs have for their own. */
export interface HostMemory {
  readonly totalBytes: number
  readonly freeBytes: number
}

/** What one look at the NVIDIA GPUs of a host brought. */
export interface NvidiaAnswers {
  readonly gpus: readonly GpuReading[]
  /** Only asked for where a GPU is cut into slices. */
  readonly list?: readonly ListedGpu[]
  readonly sliceMemory?: readonly SliceMemory[]
  readonly host: HostMemory
}

/** GPUs and, right after the GPU they are part of, slices: each a device of its own. */
export const toNvidiaDevices = (answers: NvidiaAnswers): FoundDevice[] =>
  answers.gpus.flatMap((gpu) => {
    const slices = answers.list?.find(({ uuid }) => uuid === gpu.uuid)?.slices ?? []
    return [
      gpuDevice(gpu, answers.host),
      ...slices.map((slice) => sliceDevice(gpu, slice, answers)),
    ]
  })

const gpuDevice = (gpu: GpuReading, host: HostMemory): FoundDevice => ({
  ...{ deviceId: String(gpu.index), uuid: gpu.uuid, name: gpu.name, kind: 'nvidia', cores: 0 },
  ...shared(gpu),
  ...(gpu.sharesHostMemory
    ? { memoryTotalBytes: host.totalBytes, memoryFreeBytes: host.freeBytes }
    : pick(gpu, ['memoryTotalBytes', 'memoryFreeBytes'])),
  ...pick(gpu, ['utilizationPercent', 'temperatureC']),
  ...(gpu.isPartitioned ? { isPartitioned: true } : {}),
})

const sliceDevice = (gpu: GpuReading, slice: MigSlice, answers: NvidiaAnswers): FoundDevice => {
  const memory = answers.sliceMemory?.find(
    ({ gpuUuid, index }) => gpuUuid === gpu.uuid && index === slice.index,
  )
  const promised = memoryOfProfile(slice.profile)
  return {
    ...{ deviceId: `${gpu.index}:${slice.index}`, uuid: slice.uuid, kind: 'nvidia_mig', cores: 0 },
    name: `${gpu.name} MIG ${slice.profile}`,
    ...shared(gpu),
    parentUuid: gpu.uuid,
    ...(memory?.memoryTotalBytes === undefined
      ? promised === undefined
        ? {}
        : { memoryTotalBytes: promised }
      : pick(memory, ['memoryTotalBytes', 'memoryFreeBytes'])),
    ...pick(gpu, ['temperatureC']),
  }
}

const shared = (gpu: GpuReading) => ({
  computeCapability: gpu.computeCapability,
  ...pick(gpu, ['driverVersion', 'pciBusId', 'fault']),
  ...(gpu.recoveryAction === undefined ? {} : { reportsRecovery: true }),
})

/** The keys that are there: what is not known stays absent. */
const pick = <T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> =>
  Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  ) as Pick<T, K>
