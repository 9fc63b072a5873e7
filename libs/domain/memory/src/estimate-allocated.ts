import { cacheBytes, cacheCells } from './cache-cells.ts'
import { type ComputeFacts, computeBytes, outputBytes } from './compute-buffer.ts'
import { gib, inWords } from './in-words.ts'
import type { EstimateDevice, EstimateTerm, MemoryEstimate } from './memory-estimate.ts'
import type { AllocatedPlan } from './memory-plan.ts'
import type { ModelFacts } from './model-facts.ts'
import { type BlockPlaces, placeBlocks } from './place-blocks.ts'

/** llama.cpp and its kin: each buffer, on the device that holds its blocks. */
export const estimateAllocated = (
  facts: ModelFacts,
  plan: AllocatedPlan,
  devices: readonly EstimateDevice[],
): MemoryEstimate => {
  const { caches, widths } = facts
  if (!caches || !widths) return { kind: 'unknown', reason: missingOf(facts) }
  const known = { ...facts, caches, widths }
  const gpus = devices.filter(({ kind }) => kind === 'gpu')
  const places = placeBlocks({
    blocks: caches.length,
    gpuBlocks: plan.gpuBlocks,
    split: splitOf(plan, gpus),
  })
  const parts = partsOf(known, plan, { places, gpus: gpus.length })
  const { onGpus, onHost } = addUp(parts, gpus.length)
  const cpu = devices.find(({ kind }) => kind === 'cpu')
  const isOnCpu = gpus.length === 0
  const perDevice = isOnCpu
    ? cpu
      ? [{ deviceId: cpu.deviceId, bytes: onHost }]
      : []
    : gpus.map(({ deviceId }, at) => ({ deviceId, bytes: onGpus[at]! }))
  const requiredBytes = perDevice.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    kind: 'known',
    terms: termsOf(known, plan, parts),
    perDevice,
    requiredBytes,
    hostBytes: isOnCpu && cpu ? 0 : onHost,
    isReservation: false,
  }
}

/** One buffer: of one kind, at one place. */
interface Part {
  readonly name: EstimateTerm['name']
  readonly place: number | 'host'
  readonly bytes: number
}

const partsOf = (
  facts: ComputeFacts,
  plan: AllocatedPlan,
  { places, gpus }: { readonly places: BlockPlaces; readonly gpus: number },
): Part[] => {
  const used = new Set([...places.blocks, places.output])
  const gpuPlaces = Array.from({ length: gpus }, (_, at) => at).filter((at) => used.has(at))
  return [
    ...weightParts(facts, plan, places),
    ...cacheParts(facts, plan, places),
    ...[...gpuPlaces, 'host' as const].map((place) => ({
      ...{ name: 'compute' as const, place },
      bytes: computeBytes(facts, plan, { places, place }),
    })),
    { name: 'output', place: 'host', bytes: outputBytes(facts, plan) },
    // A GPU of the mask has its context even where it gets no block.
    ...Array.from({ length: gpus }, (_, place) => ({
      ...{ name: 'overhead' as const, place },
      bytes: plan.overheadBytes,
    })),
  ]
}

const weightParts = (facts: ComputeFacts, plan: AllocatedPlan, places: BlockPlaces): Part[] => {
  const { blockBytes, inputBytes = 0, outputBytes: headBytes = 0, weightBytes } = facts
  const name = 'weights'
  const outside = inputBytes + headBytes
  const even = (weightBytes - outside) / Math.max(1, places.blocks.length)
  const blocks = places.blocks.flatMap((place, at): Part[] => {
    const bytes = blockBytes?.[at] ?? (blockBytes ? 0 : even)
    const isSplit = place !== 'host' && at < (plan.hostExpertBlocks ?? 0)
    const experts = isSplit ? (facts.expertBytes?.[at] ?? 0) : 0
    return [
      { name, place, bytes: bytes - experts },
      { name, place: 'host', bytes: experts },
    ]
  })
  const known = blocks.reduce((sum, { bytes }) => sum + bytes, outside)
  const copy = facts.isTied && places.output !== 'host' ? inputBytes : 0
  return [
    ...blocks,
    { name, place: 'host', bytes: inputBytes },
    // Whatever stands nowhere else is small, and goes with the head.
    { name, place: places.output, bytes: headBytes + copy + Math.max(0, weightBytes - known) },
  ]
}

const cacheParts = (facts: ComputeFacts, plan: AllocatedPlan, places: BlockPlaces): Part[] => {
  const bytes = cacheBytes(facts.caches, plan)
  return facts.caches.flatMap(({ stateBytes }, at): Part[] => {
    const place = plan.isCacheOnHost ? 'host' : places.blocks[at]!
    return [
      { name: 'kv_cache', place, bytes: bytes[at]! },
      { name: 'recurrent', place, bytes: stateBytes * Math.max(1, plan.sequences) },
    ]
  })
}

/** By free memory, as llama.cpp splits itself; evenly where that is not known. */
const splitOf = (plan: AllocatedPlan, gpus: readonly EstimateDevice[]): readonly number[] => {
  const { split } = plan
  if (split?.length === gpus.length && split.some((part) => part > 0)) return split
  const free = gpus.map(({ freeBytes }) => freeBytes)
  return free.every((bytes) => bytes !== undefined && bytes > 0)
    ? free.map((bytes) => bytes ?? 0)
    : gpus.map(() => 1)
}

const addUp = (parts: readonly Part[], gpus: number) => {
  const at = (place: number | 'host') =>
    Math.ceil(parts.reduce((sum, part) => (part.place === place ? sum + part.bytes : sum), 0))
  return { onGpus: Array.from({ length: gpus }, (_, place) => at(place)), onHost: at('host') }
}

const termsOf = (
  facts: ComputeFacts,
  plan: AllocatedPlan,
  parts: readonly Part[],
): EstimateTerm[] => {
  const { cells, streams, batchTokens } = cacheCells(plan)
  const attends = facts.caches.filter(({ keyNumbers }) => keyNumbers > 0)
  const windows = attends.filter(({ windowTokens }) => windowTokens > 0)
  const states = facts.caches.filter(({ stateBytes }) => stateBytes > 0)
  const formulas: Readonly<Record<EstimateTerm['name'], string>> = {
    weights: `tensors of the files, ${gib(facts.weightBytes)}${facts.isTied ? ', and a copy of the embedding where the head is on a GPU' : ''}`,
    kv_cache:
      `${attends.length} of ${facts.blocks} blocks × ${streams} × ${cells} tokens` +
      (windows.length > 0 && !plan.isWindowIgnored
        ? `, of them ${windows.length} with a window of ${windows[0]!.windowTokens} and a batch of ${batchTokens}`
        : '') +
      `, keys ${inWords(plan.keyBytes)} and values ${inWords(plan.valueBytes)} bytes a number`,
    recurrent: `${states.length} blocks × ${Math.max(1, plan.sequences)} sequences × ${states[0]?.stateBytes ?? 0} bytes`,
    compute: `a batch of ${batchTokens} tokens through the widest step, on each device`,
    output: `${Math.max(1, plan.sequences)} sequences × ${facts.vocabularySize} logits × 4 bytes`,
    overhead: `${gib(plan.overheadBytes)} of context and libraries on each GPU`,
    declared: '',
  }
  return (Object.keys(formulas) as EstimateTerm['name'][]).flatMap((name) => {
    const bytes = parts.reduce((sum, part) => (part.name === name ? sum + part.bytes : sum), 0)
    return bytes > 0 ? [{ name, bytes: Math.ceil(bytes), formula: formulas[name] }] : []
  })
}

const missingOf = ({ architecture, format }: ModelFacts): string =>
  `The ${format} header of this model does not tell what its cache takes (architecture ` +
  `'${architecture || 'unnamed'}'). Give the pool a figure: vram_budget_bytes.`
