import { BerthError } from '@berth/kernel'
import type { EngineSpec, GrantedGpu, LaunchGrant } from '@berth/supervision'

type Devices = Pick<LaunchGrant, 'devices' | 'gpus' | 'vramBudgetBytes'>

/** More than any model has: every layer goes to the GPUs. */
const ALL_LAYERS = 999

/**
 * Where the layers go. Devices are named, so that a server that cannot use them ends instead of
 * going on without: the agent's mask makes them 0 to n-1, in the order of the grant. Throws
 * `CONFIG_INVALID` when `tensor_split` has not one share for each GPU.
 */
export const deviceFlags = ({ options }: EngineSpec, grant: Devices): readonly string[] => {
  const gpus = grant.gpus ?? []
  if (isCpuOnly(grant)) return ['-dev', 'none']
  const split = splitOf(options.tensor_split, grant)
  return [
    ...['-ngl', String(options.gpu_layers ?? ALL_LAYERS)],
    ...deviceNames(options.device, gpus),
    ...(gpus.length > 1 ? ['-sm', String(options.split_mode ?? 'layer')] : ['-sm', 'none']),
    ...(split === undefined ? [] : ['-ts', split.join(',')]),
  ]
}

/** Problems of a mask with the options that name its GPUs. */
export const checkSplit = ({ options }: EngineSpec, kinds: readonly string[]): string[] => {
  const gpus = kinds.filter((kind) => kind !== 'cpu').length
  const { tensor_split: split } = options
  const shares = split === undefined ? gpus : String(split).split(',').length
  const ofGpus = ['gpu_layers', 'split_mode', 'tensor_split', 'device', 'n_cpu_moe']
  return [
    ...(gpus > 0 && gpus < kinds.length ? ['devices: either the cpu or GPUs, not both'] : []),
    ...(gpus > 0 && shares !== gpus
      ? [`engine_options.tensor_split: has ${shares} shares for ${gpus} GPUs`]
      : []),
    // Named so, it would serve on the CPU what was granted GPUs.
    ...(gpus > 0 && /(?:^|,)(?:none|cpu)(?:,|$)/i.test(String(options.device ?? ''))
      ? ['engine_options.device: names no GPU; for the CPU set devices: [cpu]']
      : []),
    ...ofGpus
      .filter((key) => gpus === 0 && options[key] !== undefined)
      .map((key) => `engine_options.${key}: is for pools with GPUs, and this one has none`),
  ]
}

/** No GPU was granted. A mask whose GPUs nobody looked up is not the CPU. */
export const isCpuOnly = ({ devices, gpus = [] }: Devices): boolean =>
  gpus.length === 0 && devices.every((device) => device === 'cpu')

/**
 * The share of each GPU, in the order of the grant; `undefined` with one GPU or where nothing tells
 * them apart. By free memory, as far as the pool may use it: the GPUs then fill up together.
 */
export const splitOf = (
  given: EngineSpec['options'][string] | undefined,
  { gpus = [], vramBudgetBytes = Infinity }: Devices,
): readonly number[] | undefined => {
  if (gpus.length < 2) return undefined
  if (given !== undefined) return asGiven(String(given), gpus.length)
  const roomMib = gpus.map(({ memoryFreeBytes, memoryTotalBytes }) =>
    Math.floor(Math.min(memoryFreeBytes ?? memoryTotalBytes ?? NaN, vramBudgetBytes) / MIB),
  )
  return roomMib.every((room) => room > 0) ? roomMib : undefined
}

const MIB = 1_048_576

const asGiven = (given: string, gpus: number): readonly number[] => {
  const shares = given.split(',').map(Number)
  if (shares.length === gpus && shares.some((share) => share > 0)) return shares
  throw new BerthError(
    'CONFIG_INVALID',
    `engine_options.tensor_split has ${shares.length} shares, and the pool ${gpus} GPUs: ` +
      'give one for each, and not all of them 0.',
  )
}

/** What llama.cpp calls the devices of its CUDA and its ROCm build. */
const BACKEND = { nvidia: 'CUDA', nvidia_mig: 'CUDA', amd: 'ROCm' } as const

const deviceNames = (
  given: EngineSpec['options'][string] | undefined,
  gpus: readonly GrantedGpu[],
): readonly string[] => {
  if (given !== undefined) return ['-dev', String(given)]
  if (gpus.length === 0) return []
  return ['-dev', gpus.map(({ kind }, index) => `${BACKEND[kind]}${index}`).join(',')]
}
