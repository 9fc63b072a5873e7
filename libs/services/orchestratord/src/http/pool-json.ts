import {
  DeviceKindSchema,
  FreshnessSchema,
  PoolModeSchema,
  PoolState,
  PoolStateSchema,
  ResidencySchema,
  ServiceStateSchema,
  type Device,
  type FleetPool,
  type ModelResidency,
  type Pool,
} from '@berth/contract'
import { loadingJson, STARTS } from './load-json.ts'
import { operationJson } from './operation-json.ts'
import { word } from './word.ts'

/** A pool in the API's names. `null` is a fact nobody could measure, never zero. */
export const poolJson = (fleetPool: FleetPool) => {
  const pool = fleetPool.pool!
  return {
    id: pool.poolId,
    object: 'pool',
    host_id: fleetPool.hostId,
    ...healthFields(fleetPool, pool),
    engine: pool.engine,
    engine_version: text(pool.engineVersion),
    mode: word(PoolModeSchema, pool.mode),
    model_id: pool.models[0]?.modelId ?? null,
    models: pool.models.map(residentJson),
    multi_model: pool.isMultiModel,
    asleep: pool.isAsleep,
    loading: loadingJson(pool),
    device_mask: pool.deviceMask,
    devices: fleetPool.devices.map(deviceJson),
    vram_total_bytes: count(pool.vramTotalBytes),
    vram_free_bytes: count(pool.vramFreeBytes),
    compute_capability: text(pool.computeCapability),
    context_length: pool.contextLength || null,
    perf_tokens_per_s: measured(pool.performance?.tokensPerS),
    first_token_ms: measured(pool.performance?.firstTokenMs),
    supports: {
      routes: pool.supports?.routes ?? [],
      quantizations: pool.supports?.quantizations ?? [],
      min_compute_cap: pool.supports?.minComputeCap || null,
      model_lifecycle: pool.supports?.modelLifecycle ?? false,
      resource_monitoring: pool.supports?.resourceMonitoring ?? false,
      extensions: pool.supports?.extensions ?? [],
    },
    ...restartFields(pool),
    transitions: pool.transitions.map((step) => ({
      at: time(step.atMs),
      from: word(PoolStateSchema, step.from),
      to: word(PoolStateSchema, step.to),
      reason: step.reason,
    })),
    current_operation: pool.currentOperation ? operationJson(pool.currentOperation) : null,
  }
}

const residentJson = (model: ModelResidency) => ({
  model_id: model.modelId,
  model_ref: text(model.modelRef),
  residency: word(ResidencySchema, model.residency),
  active_requests: model.activeRequests,
  digest: text(model.digest),
  quantization: text(model.quantization),
  // The part on GPUs is less than the whole where some of it runs on the CPU.
  memory_bytes: count(model.memoryBytes),
  gpu_bytes: count(model.gpuBytes),
  expires_at: model.expiresAtMs === 0n ? null : time(model.expiresAtMs),
  parent: text(model.parentModelId),
})

/** Engines that were started again, the newest last, and whether the agent has given up on that. */
const restartFields = ({ transitions, state, stateReason }: Pool) => ({
  restarts: transitions
    .filter(({ from, to }) => from === PoolState.BACKOFF && STARTS.has(to))
    .map(({ atMs, reason }) => ({ at: time(atMs), reason })),
  breaker:
    state === PoolState.FAILED
      ? { state: 'open', reason: text(stateReason) }
      : { state: 'closed', reason: null },
})

const healthFields = (fleetPool: FleetPool, pool: Pool) => ({
  live: pool.live,
  ready: pool.ready,
  draining: pool.draining,
  degraded: pool.degraded,
  state: word(PoolStateSchema, pool.state),
  state_reason: text(pool.stateReason),
  service_state: word(ServiceStateSchema, pool.serviceState),
  freshness: word(FreshnessSchema, fleetPool.freshness),
  ineligible_reason: text(fleetPool.ineligibleReason),
  last_error: text(pool.lastError),
  last_heartbeat_ms: fleetPool.lastHeartbeatMs,
  last_check: pool.lastCheck
    ? {
        at: time(pool.lastCheck.atMs),
        ok: pool.lastCheck.ok,
        ms: pool.lastCheck.tookMs,
        error: text(pool.lastCheck.error),
      }
    : null,
  slots_total: pool.slotsTotal,
  slots_free: pool.slotsFree,
  active_leases: pool.activeLeases,
  leases_granted: fleetPool.leasesGranted,
  instance_id: text(pool.instanceId),
  pid: pool.pid || null,
  up_since: pool.upSinceMs === 0n ? null : time(pool.upSinceMs),
  restart_count: pool.restartCount,
})

/** A device in the API's names. */
export const deviceJson = (device: Device) => ({
  device_id: device.deviceId,
  uuid: text(device.uuid),
  name: device.name,
  kind: word(DeviceKindSchema, device.kind),
  compute_capability: text(device.computeCapability),
  vram_total_bytes: count(device.memoryTotalBytes),
  vram_free_bytes: count(device.memoryFreeBytes),
  utilization_percent: device.utilizationPercent ?? null,
  temperature_c: device.temperatureC ?? null,
})

const text = (value: string) => (value === '' ? null : value)
const count = (value: bigint | undefined) => (value === undefined ? null : Number(value))
const time = (ms: bigint) => new Date(Number(ms)).toISOString()

/** To a tenth. On the wire 0 is what was not measured yet. */
const measured = (value = 0): number | null => (value > 0 ? Math.round(value * 10) / 10 : null)
