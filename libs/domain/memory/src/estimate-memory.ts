import { unreachable } from '@berth/kernel'
import { estimateAllocated } from './estimate-allocated.ts'
import { estimateReserved } from './estimate-reserved.ts'
import { gib } from './in-words.ts'
import type { EstimateDevice, MemoryEstimate } from './memory-estimate.ts'
import type { MemoryPlan, UnknownPlan } from './memory-plan.ts'
import type { ModelFacts } from './model-facts.ts'

/**
 * What an engine takes for a model, by what the model's files say (`facts`), how the engine is
 * told to run (`plan`), and the devices of the pool's mask, in its order. Term by term; nothing is
 * guessed: what the files do not tell makes the estimate `unknown`.
 */
export const estimateMemory = (
  facts: ModelFacts | undefined,
  plan: MemoryPlan,
  devices: readonly EstimateDevice[],
): MemoryEstimate => {
  if (plan.kind === 'unknown') return estimateDeclared(plan, devices)
  if (!facts) return { kind: 'unknown', reason: NO_FACTS }
  switch (plan.kind) {
    case 'allocated':
      return estimateAllocated(facts, plan, devices)
    case 'reserved':
      return estimateReserved(facts, plan, devices)
    default:
      return unreachable(plan)
  }
}

const NO_FACTS =
  'The files of this model are not on this host, or cannot be read: pull it first, or give the ' +
  'pool a figure (vram_budget_bytes).'

/** The operator's figure, spread evenly. */
const estimateDeclared = (
  { bytes }: UnknownPlan,
  devices: readonly EstimateDevice[],
): MemoryEstimate => {
  if (bytes === undefined || devices.length === 0) {
    return { kind: 'unknown', reason: 'The engine decides for itself what it takes.' }
  }
  const each = Math.ceil(bytes / devices.length)
  const perDevice = devices.map(({ deviceId }) => ({ deviceId, bytes: each }))
  const formula = `${gib(bytes)} as the pool is configured, over ${devices.length} devices`
  const requiredBytes = each * devices.length
  return {
    ...{ kind: 'known', perDevice, requiredBytes, hostBytes: 0, isReservation: true },
    terms: [{ name: 'declared', bytes: requiredBytes, formula }],
  }
}
