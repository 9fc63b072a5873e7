import type { MemoryPlan } from '@berth/memory'
import type { EngineDriver, EngineSpec } from '@berth/supervision'

/** Bytes of one cached number (ggml block sizes; engines.md 6). */
const KV_BYTES: Readonly<Record<string, number>> = { f16: 2, q8_0: 34 / 32, q4_0: 18 / 32 }
/** What the daemon computes at once unless a model says otherwise (`num_batch`). */
const BATCH_TOKENS = 512
/** The context and the libraries of CUDA in the runner of a model. */
const GPU_OVERHEAD_BYTES = 512 * 1024 ** 2

/** How one model of the daemon uses memory: llama.cpp runs it, with a context for each slot. */
export const ollamaMemoryPlan: NonNullable<EngineDriver['memoryPlan']> = (
  spec,
  { gpus = [] },
): MemoryPlan => {
  // What a daemon that others run was started with is not known here.
  if (spec.mode !== 'managed') return { kind: 'unknown' }
  const bytes = KV_BYTES[cacheTypeOf(spec)] ?? 2
  const { gpu_overhead: overhead } = spec.options
  return {
    kind: 'allocated',
    kvTokens: spec.contextLength * spec.slots,
    sequences: spec.slots,
    keyBytes: bytes,
    valueBytes: bytes,
    batchTokens: BATCH_TOKENS,
    isWindowIgnored: false,
    gpuBlocks: gpus.length > 0 ? 'all' : 0,
    overheadBytes:
      gpus.length > 0 ? GPU_OVERHEAD_BYTES + (typeof overhead === 'number' ? overhead : 0) : 0,
  }
}

const cacheTypeOf = ({ options }: EngineSpec): string => String(options.kv_cache_type ?? 'f16')
