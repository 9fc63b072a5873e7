import type { FoundDevice } from '@berth/devices'
import {
  correctionKey,
  estimateMemory,
  type EstimateDevice,
  type KnownEstimate,
  type MemoryClaim,
  type MemoryEstimate,
  type MemoryPlan,
  type ModelFacts,
} from '@berth/memory'
import type { EngineDriver, GrantedGpu } from '@berth/supervision'
import type { PoolSpec } from '../pools-file/pool-spec.ts'

/** One engine with its model, before it is started. */
export interface MemoryLoad {
  readonly entryId: string
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  /** What the model's files say; absent when they do not. */
  readonly facts?: ModelFacts | undefined
  /** Of the program that will run; empty where nobody asked it. */
  readonly engineVersion: string
}

/** What a load asks of the devices of its pool. */
export interface WeighedLoad {
  readonly plan: MemoryPlan
  readonly estimate: MemoryEstimate
  /** Absent where nothing can be asked for in figures: the load is let in, and measured. */
  readonly claim: MemoryClaim
  /** Where the figures come from, in words of people. */
  readonly basis: string
}

/**
 * What a load will take, on devices as they are now: by the model's files and the driver's plan,
 * else by the operator's budget, else nothing is known of it. Throws what the plan of a driver
 * throws (`INSUFFICIENT_VRAM`).
 */
export const weighLoad = (load: MemoryLoad, devices: readonly FoundDevice[]): WeighedLoad => {
  const { spec, driver, facts } = load
  const gpus = devices.filter(({ kind }) => kind !== 'cpu')
  const { vramBudgetBytes: budget } = spec
  const granted = {
    ...{ devices: spec.devices, gpus: gpus.map(grantedGpu) },
    ...(budget === undefined ? {} : { vramBudgetBytes: budget }),
  }
  const plan: MemoryPlan = driver.memoryPlan?.(spec.engine, granted) ?? { kind: 'unknown' }
  const on = (gpus.length > 0 ? gpus : devices).map(toEstimateDevice)
  const declared: MemoryPlan =
    plan.kind === 'unknown' && budget !== undefined
      ? { kind: 'unknown', bytes: budget * on.length }
      : plan
  const estimate = shareAlone(declared, on, facts) ?? estimateMemory(facts, declared, on)
  const { entryId } = load
  const perDevice =
    estimate.kind === 'known'
      ? estimate.perDevice
      : on.map(({ deviceId }) => ({ deviceId, bytes: budget ?? 0 }))
  const isReservation = estimate.kind !== 'known' || estimate.isReservation
  return {
    plan,
    estimate,
    basis: basisOf(estimate, declared, budget),
    claim: {
      ...{ entryId, poolId: spec.poolId, modelId: spec.engine.modelId ?? '', perDevice },
      ...{ learnKey: learnKeyOf(load), isReservation },
      // The plan of such an engine leaves its own room; a budget is the operator's decision.
      ...(isReservation || budget !== undefined ? { headroomShare: 0 } : {}),
    },
  }
}

/** What of a device counts as the engine's alone: files of its model are not needed to tell it. */
const shareAlone = (
  plan: MemoryPlan,
  devices: readonly EstimateDevice[],
  facts: ModelFacts | undefined,
): KnownEstimate | undefined => {
  if (plan.kind !== 'reserved' || facts !== undefined || plan.kvCacheBytes !== undefined)
    return undefined
  const world = devices.slice(0, plan.parallel * (plan.pipeline ?? 1))
  if (world.some(({ totalBytes }) => totalBytes === undefined)) return undefined
  const perDevice = world.map(({ deviceId, totalBytes = 0 }) => ({
    deviceId,
    bytes: Math.ceil(plan.share * totalBytes),
  }))
  const requiredBytes = perDevice.reduce((sum, { bytes }) => sum + bytes, 0)
  const formula = `${plan.share} of the memory of ${world.length} device${world.length > 1 ? 's' : ''}`
  return {
    ...{ kind: 'known', perDevice, requiredBytes, hostBytes: 0, isReservation: true },
    terms: [{ name: 'declared', bytes: requiredBytes, formula }],
  }
}

const basisOf = (
  estimate: MemoryEstimate,
  plan: MemoryPlan,
  budget: number | undefined,
): string => {
  if (estimate.kind !== 'known') return budget === undefined ? '' : 'vram_budget_bytes of the pool'
  if (plan.kind === 'unknown') return 'vram_budget_bytes of the pool'
  return estimate.terms.some(({ name }) => name === 'declared')
    ? 'the share the engine reserves'
    : "the header of the model's files"
}

/** What is learned of a load holds for loads alike: same model, engine, options and devices. */
const learnKeyOf = ({ spec, engineVersion }: MemoryLoad): string => {
  const { engine, devices, deviceUuids, vramBudgetBytes, modelRef } = spec
  return correctionKey({
    ...{ model: modelRef, engine: engine.engine, engineVersion },
    flags: {
      ...engine.options,
      ...{ context_length: engine.contextLength, slots: engine.slots },
      ...{ devices: (deviceUuids ?? devices).join(), vram_budget_bytes: vramBudgetBytes },
    },
  })
}

const toEstimateDevice = (device: FoundDevice): EstimateDevice => ({
  deviceId: device.deviceId,
  kind: device.kind === 'cpu' ? 'cpu' : 'gpu',
  ...(device.memoryTotalBytes === undefined ? {} : { totalBytes: device.memoryTotalBytes }),
  ...(device.memoryFreeBytes === undefined ? {} : { freeBytes: device.memoryFreeBytes }),
})

const grantedGpu = (device: FoundDevice): GrantedGpu => {
  const { deviceId, uuid, kind, computeCapability } = device
  const { memoryTotalBytes: total, memoryFreeBytes: free } = device
  return {
    ...{ deviceId, uuid, kind: kind as GrantedGpu['kind'], computeCapability },
    ...(total === undefined ? {} : { memoryTotalBytes: total }),
    ...(free === undefined ? {} : { memoryFreeBytes: free }),
  }
}
