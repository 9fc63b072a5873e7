import { linesOf, nameOf } from './cell.ts'

/** A slice of a GPU (MIG). */
export interface MigSlice {
  /** Of the slice within its GPU. */
  readonly index: number
  /** Such as `1g.10gb`, or `1c.3g.71gb` for a part of an instance. */
  readonly profile: string
  readonly uuid: string
}

/** A GPU and its slices as `nvidia-smi -L` lists them. */
export interface ListedGpu {
  readonly index: number
  readonly name: string
  readonly uuid: string
  readonly slices: readonly MigSlice[]
}

const GPU = /^GPU (\d{1,4}): (.{0,300}?) \(UUID: (GPU-[\w-]{1,80})\)\s*$/i
// Drivers before 470 name a slice by its GPU and instances: MIG-GPU-<uuid>/1/0.
const SLICE = /^\s+MIG (\S{1,40})\s+Device\s+(\d{1,4}): \(UUID: (MIG-[\w/-]{1,100})\)\s*$/i
const MAX = 4_096

/** Reads `nvidia-smi -L`. */
export const readGpuList = (text: string): ListedGpu[] => {
  const gpus: (ListedGpu & { readonly slices: MigSlice[] })[] = []
  for (const line of linesOf(text).slice(0, MAX)) {
    const [, gpuIndex, name, gpuUuid] = GPU.exec(line) ?? []
    if (gpuIndex !== undefined && gpuUuid !== undefined)
      gpus.push({
        index: Number(gpuIndex),
        name: nameOf(name, 'NVIDIA GPU'),
        uuid: gpuUuid,
        slices: [],
      })
    const [, profile, index, uuid] = SLICE.exec(line) ?? []
    if (profile !== undefined && uuid !== undefined)
      gpus.at(-1)?.slices.push({ index: Number(index), profile, uuid })
  }
  return gpus
}
