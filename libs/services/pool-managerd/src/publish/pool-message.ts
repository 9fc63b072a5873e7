import { create } from '@bufbuild/protobuf'
import { PoolSchema, Residency, type Operation, type Pool as PoolMessage } from '@berth/contract'
import { maskFacts, resolveMask, type FoundDevice } from '@berth/devices'
import type { Clock } from '@berth/kernel'
import { serviceStateOf, type PoolStateKind } from '@berth/supervision'
import { cacheMessage, residencyMemory } from '../memory/ledger-message.ts'
import type { MemoryBook } from '../memory/memory-book.ts'
import { modelResidencies } from '../models-in-engine/model-residencies.ts'
import type { Check } from '../pool/ask-all.ts'
import type { Pool } from '../pool/pool.ts'
import { routesOf } from '../pool/routes-of.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel } from '../pools-file/with-model.ts'
import { loadMessage } from './load-message.ts'
import { performanceMessage } from './performance-message.ts'
import { POOL_MODE, POOL_STATE, SERVICE_STATE } from './wire.ts'

const RESIDENCY = {
  stopped: Residency.ON_DISK,
  preparing: Residency.LOADING,
  starting: Residency.LOADING,
  ready: Residency.RESIDENT,
  draining: Residency.DRAINING,
  stopping: Residency.UNLOADING,
  backoff: Residency.ON_DISK,
  failed: Residency.FAILED,
  crashed: Residency.UNLOADING,
} as const satisfies Record<PoolStateKind, Residency>

export interface PoolMessageContext {
  readonly clock: Clock
  /** The agent is stopping: no pool takes anything new. */
  readonly isDraining: boolean
  readonly devices: readonly FoundDevice[]
  /** Absent: nothing is booked. */
  readonly memory?: MemoryBook | undefined
  readonly operation: Operation | undefined
}

/** A pool as the snapshot shows it. */
export const poolMessage = (pool: Pool, context: PoolMessageContext): PoolMessage => {
  const { spec, supervised, slots, instance } = pool
  const { state } = supervised
  const { clock } = context
  // States are timed on the clock that never jumps, messages on the one people read.
  const wallOf = (at: number) => BigInt(Math.round(clock.wall() - (clock.now() - at)))
  return create(PoolSchema, {
    poolId: spec.poolId,
    engine: spec.engine.engine,
    engineVersion: pool.engineVersion,
    mode: POOL_MODE[spec.engine.mode],
    state: POOL_STATE[state.kind],
    stateReason: pool.stateReason,
    stateSinceMs: wallOf(supervised.since),
    serviceState: SERVICE_STATE[serviceStateOf(state, spec.policy.hasProcess)],
    live: true,
    ready: state.kind === 'ready' && !context.isDraining,
    draining: state.kind === 'draining' || context.isDraining,
    degraded: (state.kind === 'ready' || state.kind === 'draining') && state.isDegraded,
    lastError: supervised.lastError,
    instanceId: instance?.instanceId ?? '',
    pid: instance?.pid ?? 0,
    upSinceMs: BigInt(instance?.upSinceMs ?? 0),
    deviceMask: [...spec.devices],
    ...maskMessage(spec, context.devices),
    ...cacheMessage(pool, context.memory),
    slotsTotal: slots.total,
    slotsFree: slots.free,
    activeLeases: slots.active,
    leaseIds: slots.leases.map(({ leaseId }) => leaseId),
    models: [
      ...modelsOf(pool, context.memory),
      ...(pool.keeper ? modelResidencies(pool.keeper, state.kind) : []),
    ],
    isMultiModel: pool.keeper?.ownsModel ?? false,
    isAsleep: pool.sleep?.isAsleep ?? false,
    loadsOnDemand: (spec.loadsOnDemand ?? false) && !pool.isHeldStopped,
    supports: supportsOf(pool),
    restartCount: supervised.history.total,
    ...(pool.lastCheck ? { lastCheck: checkMessage(pool.lastCheck) } : {}),
    ...measured(pool),
    contextLength: spec.engine.contextLength,
    samplerProfileVersion: spec.samplerProfileVersion,
    isStrict: spec.isStrict,
    transitions: supervised.transitions.map(({ at, from, to, reason }) => ({
      atMs: wallOf(at),
      from: POOL_STATE[from],
      to: POOL_STATE[to],
      reason,
    })),
    ...loadingOf(pool),
    ...(context.operation ? { currentOperation: context.operation } : {}),
  })
}

const loadingOf = ({ loads, keeper }: Pool) => {
  const progress = loads.current ?? keeper?.loading?.progress
  return progress ? { loading: loadMessage(progress) } : {}
}

const measured = ({ performance, spec }: Pool) => {
  const message = performanceMessage(performance.current, spec.engine.modelId)
  return message ? { performance: message } : {}
}

const maskMessage = (
  { devices, vramBudgetBytes }: PoolSpec,
  found: readonly FoundDevice[],
): Pick<PoolMessage, 'computeCapability' | 'vramTotalBytes' | 'vramFreeBytes'> => {
  const mask = resolveMask(devices, found)
  const facts = maskFacts(mask.unknown.length > 0 ? [] : mask.devices, vramBudgetBytes)
  const { computeCapability, vramTotalBytes: total, vramFreeBytes: free } = facts
  return {
    computeCapability,
    ...(total === undefined ? {} : { vramTotalBytes: BigInt(total) }),
    ...(free === undefined ? {} : { vramFreeBytes: BigInt(free) }),
  }
}

/** While a reload goes on, both models: it is not known yet which of them the pool will serve. */
const modelsOf = (pool: Pool, memory: MemoryBook | undefined) => {
  const { spec, supervised, slots, modelDigest = '', keeper } = pool
  if (keeper?.ownsModel) return []
  const { state, reload } = supervised
  const { modelId } = spec.engine
  const requestsOf = (id: string | undefined) =>
    slots.leases.filter((lease) => lease.modelId === id).length
  const now = {
    modelRef: spec.modelRef,
    residency: RESIDENCY[state.kind],
    activeRequests: requestsOf(modelId),
    digest: modelDigest,
    ...residencyMemory(pool, memory),
  }
  const otherRef = reload && (reload.from === spec.modelRef ? reload.to : reload.from)
  const other = otherRef === undefined ? undefined : withModel(spec, otherRef).engine.modelId
  const both = [
    ...(modelId === undefined ? [] : [{ modelId, ...now }]),
    // One that failed is not coming.
    ...(other === undefined || other === modelId || reload?.phase === 'roll_back'
      ? []
      : [
          {
            ...{ modelId: other, modelRef: otherRef!, residency: Residency.ON_DISK },
            activeRequests: requestsOf(other),
          },
        ]),
  ]
  return both
}

const supportsOf = ({ driver, spec }: Pool) => ({
  routes: [...routesOf({ driver, spec })],
  quantizations: [...driver.abilities.quantizations],
  minComputeCap: driver.abilities.minComputeCapability,
  modelLifecycle: driver.abilities.hasModelLifecycle,
  resourceMonitoring: driver.abilities.hasResourceMonitoring,
})

const checkMessage = ({ result, tookMs, atMs }: Check) => ({
  atMs: BigInt(Math.round(atMs)),
  ok: !('fact' in result),
  tookMs,
  error: 'fact' in result ? result.fact : '',
})
