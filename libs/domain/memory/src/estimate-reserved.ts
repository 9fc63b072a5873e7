import { gib, inWords } from './in-words.ts'
import type { EstimateDevice, EstimateTerm, MemoryEstimate } from './memory-estimate.ts'
import type { ReservedPlan } from './memory-plan.ts'
import type { BlockCache, ModelFacts } from './model-facts.ts'

/**
 * vLLM: a share of each device whatever the model needs. What weights and overhead leave of it is
 * its cache, which must hold one request of full length.
 */
export const estimateReserved = (
  facts: ModelFacts,
  plan: ReservedPlan,
  devices: readonly EstimateDevice[],
): MemoryEstimate => {
  const gpus = devices.filter(({ kind }) => kind === 'gpu')
  if (gpus.length === 0)
    return { kind: 'unknown', reason: 'It takes a share of GPUs, and the mask has none.' }
  const needs = needsOf(facts, plan, gpus.length)
  const takes: number[] = []
  for (const gpu of gpus) {
    const takenBytes = takenOf(gpu, plan, needs)
    if (takenBytes === undefined) {
      return { kind: 'unknown', reason: `The memory of device ${gpu.deviceId} is not known.` }
    }
    const neededBytes = needs.fixedBytes + needs.requestBytes
    if (takenBytes < neededBytes)
      return refusalOf(facts, plan, { gpu, needs, allowedBytes: takenBytes })
    takes.push(takenBytes)
  }
  const requiredBytes = takes.reduce((sum, bytes) => sum + bytes, 0)
  const cache = Math.min(...takes) - needs.fixedBytes
  const room = needs.requestBytes > 0 ? { kvRoomTokens: roomOf(cache, plan, needs) } : {}
  return {
    ...{ kind: 'known', requiredBytes, hostBytes: 0, isReservation: true, ...room },
    terms: termsOf(plan, needs, { requiredBytes, gpus: gpus.length }),
    perDevice: gpus.map(({ deviceId }, at) => ({ deviceId, bytes: takes[at]! })),
  }
}

/** Of each device. */
interface Needs {
  readonly weightBytes: number
  /** Weights and overhead: what is there before the cache. */
  readonly fixedBytes: number
  /** The cache of one request of full length; 0 where the files do not tell. */
  readonly requestBytes: number
}

const needsOf = (facts: ModelFacts, plan: ReservedPlan, gpus: number): Needs => {
  const stages = Math.max(1, plan.pipeline ?? 1)
  const devices = Math.min(gpus, Math.max(1, plan.parallel) * stages)
  const weightBytes = Math.ceil(facts.weightBytes / devices)
  const blockBytes = (facts.caches ?? []).map((block) => requestBytesOf(block, plan))
  const requestBytes = Math.ceil(blockBytes.reduce((sum, bytes) => sum + bytes, 0) / stages)
  return { weightBytes, fixedBytes: weightBytes + plan.overheadBytes, requestBytes }
}

/**
 * What one device keeps in one block for a request of full length. Heads are cut over the devices,
 * and each device has one where they are fewer; latent attention cannot be cut.
 */
const requestBytesOf = (block: BlockCache, plan: ReservedPlan): number => {
  const numbers = block.keyNumbers + block.valueNumbers
  const parallel = Math.max(1, plan.parallel)
  const cut = block.kvHeads === 0 ? 1 : Math.ceil(block.kvHeads / parallel) / block.kvHeads
  const kept = block.windowTokens + (plan.batchTokens ?? 0)
  const tokens = block.windowTokens === 0 ? plan.maxTokens : Math.min(plan.maxTokens, kept)
  return numbers * cut * plan.kvNumberBytes * tokens + block.stateBytes / parallel
}

const takenOf = (gpu: EstimateDevice, plan: ReservedPlan, needs: Needs): number | undefined => {
  if (plan.kvCacheBytes !== undefined) return needs.fixedBytes + plan.kvCacheBytes
  return gpu.totalBytes === undefined ? undefined : Math.floor(gpu.totalBytes * plan.share)
}

/** As vLLM counts `GPU KV cache size`: requests of full length that fit, in tokens. */
const roomOf = (cacheBytes: number, { maxTokens }: ReservedPlan, { requestBytes }: Needs): number =>
  Math.floor((cacheBytes / requestBytes) * maxTokens)

const termsOf = (
  plan: ReservedPlan,
  needs: Needs,
  { requiredBytes, gpus }: { readonly requiredBytes: number; readonly gpus: number },
): EstimateTerm[] => {
  const weights = needs.weightBytes * gpus
  const overhead = plan.overheadBytes * gpus
  const rest =
    plan.kvCacheBytes === undefined
      ? `what is left of ${inWords(plan.share * 100)} % of each of ${gpus} GPUs`
      : `${gib(plan.kvCacheBytes)} on each of ${gpus} GPUs, as configured`
  return [
    {
      name: 'weights',
      bytes: weights,
      formula: `${gib(needs.weightBytes)} on each of ${gpus} GPUs`,
    },
    { name: 'overhead', bytes: overhead, formula: `${gib(plan.overheadBytes)} on each GPU` },
    { name: 'kv_cache', bytes: requiredBytes - weights - overhead, formula: rest },
  ]
}

interface Shortage {
  readonly gpu: EstimateDevice
  readonly needs: Needs
  readonly allowedBytes: number
}

const refusalOf = (
  facts: ModelFacts,
  plan: ReservedPlan,
  { gpu, needs, allowedBytes }: Shortage,
): MemoryEstimate => {
  const { fixedBytes, requestBytes, weightBytes } = needs
  const left = allowedBytes - fixedBytes
  const share = `${inWords(plan.share * 100)} % of device ${gpu.deviceId}`
  const reason =
    left <= 0
      ? `Weights of ${gib(weightBytes)} and ${gib(plan.overheadBytes)} besides do not fit into ` +
        `${gib(allowedBytes)} (${share}). Raise gpu_memory_utilization, spread the model over ` +
        `more devices (tensor_parallel_size), or take a smaller quantisation.`
      : `A request of ${plan.maxTokens} tokens needs ${gib(requestBytes)} of cache and ` +
        `${gib(left)} of ${gib(allowedBytes)} (${share}) are left for it. Set max_model_len to ` +
        `${longestOf(facts, plan, left)} at most, or raise gpu_memory_utilization.`
  return {
    kind: 'refused',
    reason,
    terms: [
      { name: 'weights', bytes: weightBytes, formula: `on device ${gpu.deviceId}` },
      { name: 'overhead', bytes: plan.overheadBytes, formula: `on device ${gpu.deviceId}` },
      { name: 'kv_cache', bytes: requestBytes, formula: `one request of ${plan.maxTokens} tokens` },
    ],
    ...{ deviceId: gpu.deviceId, neededBytes: fixedBytes + requestBytes, allowedBytes },
  }
}

/** The longest request whose cache fits; windows make this no division. */
const longestOf = (facts: ModelFacts, plan: ReservedPlan, leftBytes: number): number => {
  let fits = 0
  let tooLong = plan.maxTokens
  while (tooLong - fits > 1) {
    const maxTokens = Math.floor((fits + tooLong) / 2)
    const { requestBytes } = needsOf(facts, { ...plan, maxTokens }, Infinity)
    if (requestBytes <= leftBytes) fits = maxTokens
    else tooLong = maxTokens
  }
  return fits
}
