import { BerthError } from '@berth/kernel'
import type { MemoryPlan } from '@berth/memory'
import type { EngineSpec, GrantedGpu, LaunchGrant } from '@berth/supervision'
import { worldOf } from './vllm-options.ts'

const GIB = 1_073_741_824
/** Left free of what was measured: contexts are made before vLLM looks, others breathe. */
const HEADROOM_BYTES = GIB
/** What nobody says otherwise (vLLM's own until 0.2x). */
const DEFAULT_SHARE = 0.9
/** Less holds no engine: a context alone takes half a GiB. */
const LEAST_SHARE = 0.02
/** Context and libraries; graphs come on top unless they are off (engines.md 6). */
const CONTEXT_BYTES = GIB / 2
const GRAPH_BYTES = GIB

type Given = Pick<LaunchGrant, 'devices' | 'gpus' | 'vramBudgetBytes'>

/**
 * `--gpu-memory-utilization`: what is wanted, or less where less is measured free or promised. vLLM
 * aborts when the share of the whole GPU is more than what is free. `undefined` where the GPUs do
 * not tell and nobody asked for a share. Throws `INSUFFICIENT_VRAM` when hardly anything is left.
 */
export const memoryShare = (spec: EngineSpec, grant: Given): number | undefined => {
  const roofs = roofsOf(spec, grant)
  if (roofs.length === 0 && spec.options.gpu_memory_utilization === undefined) return undefined
  const share = cappedShare(spec, roofs)
  if (share < LEAST_SHARE && roofs.length > 0) throw tooFull(takenGpus(spec, grant))
  return share
}

const takenGpus = (spec: EngineSpec, { gpus = [] }: Given): readonly GrantedGpu[] =>
  gpus.slice(0, worldOf(spec))

/** What each GPU has to give at most, where that is known. */
const roofsOf = (spec: EngineSpec, grant: Given): readonly number[] =>
  takenGpus(spec, grant)
    .map((gpu) => roofOf(gpu, grant.vramBudgetBytes))
    .filter((roof) => roof !== undefined)

/** Down, so that it never asks for more than there is. */
const cappedShare = ({ options }: EngineSpec, roofs: readonly number[]): number => {
  const share = Math.min(Number(options.gpu_memory_utilization ?? DEFAULT_SHARE), ...roofs)
  return Math.floor(share * 1_000 + 1e-9) / 1_000
}

const roofOf = (
  { memoryTotalBytes: total, memoryFreeBytes: free }: GrantedGpu,
  budget = Infinity,
): number | undefined => {
  if (total === undefined || total <= 0) return undefined
  const room = free === undefined ? budget : Math.min(budget, free - HEADROOM_BYTES)
  return room === Infinity ? undefined : Math.max(0, room / total)
}

const tooFull = (gpus: readonly GrantedGpu[]) => {
  const facts = gpus.map(
    ({ deviceId, memoryFreeBytes: free = 0, memoryTotalBytes: total = 0 }) =>
      `GPU ${deviceId} has ${(free / GIB).toFixed(1)} of ${(total / GIB).toFixed(1)} GiB free`,
  )
  return new BerthError(
    'INSUFFICIENT_VRAM',
    `There is too little free memory for vLLM: ${facts.join(', ')}, and ` +
      `${HEADROOM_BYTES / GIB} GiB is left free. nvidia-smi or rocm-smi shows who holds it.`,
  )
}

/** How vLLM will use memory: a share of each GPU, whatever the model needs. */
export const vllmMemoryPlan = (
  spec: EngineSpec,
  grant: Pick<LaunchGrant, 'devices' | 'gpus'>,
): MemoryPlan => {
  const { kv_cache_memory_bytes: kvCacheBytes, kv_cache_dtype: kvType } = spec.options
  if (!grant.gpus?.length) return { kind: 'unknown' }
  // A GPU that is full is waited for with what is wanted of it.
  const share = cappedShare(spec, roofsOf(spec, grant))
  const wanted = cappedShare(spec, [])
  return {
    kind: 'reserved',
    share: share < LEAST_SHARE ? wanted : share,
    parallel: worldOf(spec),
    ...(typeof kvCacheBytes === 'number' ? { kvCacheBytes } : {}),
    maxTokens: spec.contextLength,
    kvNumberBytes: String(kvType ?? '').startsWith('fp8') ? 1 : 2,
    overheadBytes: CONTEXT_BYTES + (spec.options.enforce_eager === true ? 0 : GRAPH_BYTES),
  }
}
