import type { MemoryPlan } from '@berth/memory'
import type { EngineSpec, LaunchGrant } from '@berth/supervision'
import { isCpuOnly, splitOf } from './llamacpp-devices.ts'
import { kvTypesOf, KV_TYPE_BYTES } from './llamacpp-options.ts'

/** llama.cpp rounds contexts up to it. */
const CONTEXT_STEP = 256
const DEFAULT_BATCH = 2_048
const DEFAULT_UBATCH = 512
/** CUDA context and libraries: 0.3 to 0.6 GiB (engines.md 6). */
const GPU_OVERHEAD_BYTES = 536_870_912

/** Tokens that `-c` asks for: what one slot may hold, for all of them. */
export const contextOf = ({ contextLength, slots }: EngineSpec): number => contextLength * slots

/** How llama-server uses memory with the flags of the plan. */
export const llamacppMemory = (
  spec: EngineSpec,
  grant: Pick<LaunchGrant, 'devices' | 'gpus'>,
): MemoryPlan => {
  const { options, slots } = spec
  const { keys, values } = kvTypesOf(options)
  const kvTokens = cachedTokens(spec)
  const batch = Math.min(Number(options.batch_size ?? DEFAULT_BATCH), kvTokens)
  const isOnCpu = isCpuOnly(grant)
  const split = splitOf(options.tensor_split, grant)
  return {
    kind: 'allocated',
    kvTokens,
    sequences: slots,
    isUnified: options.kv_unified === true,
    keyBytes: KV_TYPE_BYTES[keys] ?? 2,
    valueBytes: KV_TYPE_BYTES[values] ?? 2,
    batchTokens: Math.min(Number(options.ubatch_size ?? DEFAULT_UBATCH), batch),
    isWindowIgnored: options.swa_full === true,
    hasFlashAttention: options.flash_attn !== 'off',
    gpuBlocks: isOnCpu ? 0 : gpuBlocksOf(options.gpu_layers),
    ...(typeof options.n_cpu_moe === 'number' ? { hostExpertBlocks: options.n_cpu_moe } : {}),
    ...(split === undefined ? {} : { split }),
    overheadBytes: isOnCpu ? 0 : GPU_OVERHEAD_BYTES,
  }
}

const gpuBlocksOf = (layers: EngineSpec['options'][string] | undefined): number | 'all' =>
  typeof layers === 'number' ? layers : 'all'

/** The whole is rounded up, and then the part of each slot, unless they share one cache. */
const cachedTokens = (spec: EngineSpec): number => {
  const whole = roundUp(contextOf(spec))
  return spec.options.kv_unified === true
    ? whole
    : roundUp(Math.floor(whole / spec.slots)) * spec.slots
}

const roundUp = (tokens: number): number => Math.ceil(tokens / CONTEXT_STEP) * CONTEXT_STEP
