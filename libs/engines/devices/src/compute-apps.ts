import { mibToBytes, readWhole } from './cell.ts'
import { readTable } from './read-table.ts'

/** A process that holds memory of a GPU. */
export interface GpuProcess {
  readonly gpuUuid: string
  /** Of the host; a tool inside a container may see none. */
  readonly pid: number
  /** Absent where the driver does not say. */
  readonly memoryBytes?: number
}

const FIELDS = ['gpu_uuid', 'pid', 'used_memory']

/** The command line that `readGpuProcesses` reads the answer of. */
export const GPU_PROCESS_ARGS: readonly string[] = [
  `--query-compute-apps=${FIELDS.join(',')}`,
  '--format=csv,noheader,nounits',
]

/** Processes on GPUs. Under MIG the GPU named is the one the slice is part of. */
export const readGpuProcesses = (text: string): GpuProcess[] =>
  readTable(text, FIELDS, 'process_name').flatMap((row) => {
    const gpuUuid = row['gpu_uuid'] ?? ''
    const pid = readWhole(row['pid'], 2 ** 31)
    if (pid === undefined || pid === 0 || !/^(?:GPU|MIG)-[\w/-]{1,100}$/i.test(gpuUuid)) return []
    const memoryBytes = mibToBytes(readWhole(row['used_memory'] ?? row['used_gpu_memory'], 2 ** 32))
    return [{ gpuUuid, pid, ...(memoryBytes === undefined ? {} : { memoryBytes }) }]
  })
