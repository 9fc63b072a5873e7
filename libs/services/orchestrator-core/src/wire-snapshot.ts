import {
  DeviceKind as WireDeviceKind,
  PoolState as WirePoolState,
  Residency as WireResidency,
  type HostHeartbeat as WireHeartbeat,
  type HostSnapshot as WireHost,
  type ModelDimensions as WireDimensions,
  type ModelResidency as WireModel,
  type PerformanceHint as WirePerformance,
  type Pool as WirePool,
} from '@berth/contract'
import type {
  DeviceKind,
  HostHeartbeat,
  HostSnapshot,
  ModelDimensions,
  ModelResidency,
  PerformanceHint,
  PoolSnapshot,
  PoolState,
  Residency,
} from '@berth/fleet'
import {
  parseHostId,
  parsePoolId,
  type InstanceId,
  type LeaseId,
  type ModelId,
} from '@berth/kernel'

/** A published snapshot in the fleet's words. Throws `INVALID_PARAMS` for ids that are none. */
export const toHostSnapshot = (wire: WireHost): HostSnapshot => ({
  hostId: parseHostId(wire.hostId),
  epoch: Number(wire.epoch),
  revision: Number(wire.revision),
  grpcAddress: wire.grpcAddress,
  ingressAddress: wire.ingressAddress,
  devices: wire.devices.map(({ deviceId, kind, memoryTotalBytes, memoryFreeBytes }) => ({
    deviceId,
    kind: DEVICE_KINDS[kind] ?? 'unknown',
    ...(memoryTotalBytes === undefined ? {} : { memoryTotalBytes: Number(memoryTotalBytes) }),
    ...(memoryFreeBytes === undefined ? {} : { memoryFreeBytes: Number(memoryFreeBytes) }),
  })),
  pools: wire.pools.map(toPoolSnapshot),
  term: Number(wire.term),
  isDraining: wire.isDraining,
})

/** A heartbeat in the fleet's words. Throws `INVALID_PARAMS` for a host id that is none. */
export const toHostHeartbeat = (wire: WireHeartbeat): HostHeartbeat => ({
  hostId: parseHostId(wire.hostId),
  epoch: Number(wire.epoch),
  revision: Number(wire.revision),
})

const toPoolSnapshot = (wire: WirePool): PoolSnapshot => ({
  poolId: parsePoolId(wire.poolId),
  engine: wire.engine,
  engineVersion: wire.engineVersion,
  state: POOL_STATES[wire.state] ?? 'unknown',
  stateReason: wire.stateReason,
  isLive: wire.live,
  isReady: wire.ready,
  isDraining: wire.draining,
  isDegraded: wire.degraded,
  deviceMask: wire.deviceMask,
  slotsTotal: wire.slotsTotal,
  leaseIds: wire.leaseIds as LeaseId[],
  models: wire.models.map(toModelResidency),
  supports: {
    routes: wire.supports?.routes ?? [],
    quantizations: wire.supports?.quantizations ?? [],
    extensions: wire.supports?.extensions ?? [],
  },
  contextLength: wire.contextLength,
  deviceSplit: wire.deviceSplit,
  isStrict: wire.isStrict,
  ...(wire.loadsOnDemand ? { loadsOnDemand: true } : {}),
  samplerProfileVersion: wire.samplerProfileVersion,
  ...whatIsKnown(wire),
})

const toModelResidency = (wire: WireModel): ModelResidency => {
  const { dimensions } = wire
  return {
    modelId: wire.modelId as ModelId,
    residency: RESIDENCIES[wire.residency] ?? 'absent',
    activeRequests: wire.activeRequests,
    digest: wire.digest,
    quantization: wire.quantization,
    ...(dimensions && dimensions.kvDtypeBytes >= 0 && dimensions.kvDtypeBytes <= DTYPE_BYTES_MAX
      ? { dimensions: toDimensions(dimensions) }
      : {}),
  }
}

/** Of one cached number; anything else is none, and so would be every size that follows from it. */
const DTYPE_BYTES_MAX = 64

const toDimensions = ({ $typeName: _, ...dimensions }: WireDimensions): ModelDimensions =>
  dimensions

const toPerformance = (wire: WirePerformance): PerformanceHint => ({
  tokensPerS: wire.tokensPerS,
  firstTokenMs: toMeasured(wire.firstTokenMs),
  samples: wire.samples,
  ...(isRate(wire.prefillTokensPerS) ? { prefillTokensPerS: wire.prefillTokensPerS } : {}),
  cells: wire.cells
    .slice(0, CELLS_MAX)
    .filter(({ tokensPerS }) => isRate(tokensPerS))
    .map(({ $typeName: _, ...cell }) => ({
      ...cell,
      modelId: cell.modelId as ModelId,
      firstTokenMs: toMeasured(cell.firstTokenMs),
    })),
})

/**
 * What an agent measured by dividing by nothing is no measurement: one pool with a rate that is no
 * number would win, or spoil, every comparison it is part of.
 */
const isRate = (perS: number): boolean => perS >= RATE_MIN && perS <= MEASURED_MAX

const toMeasured = (ms: number): number => (ms > 0 && ms <= MEASURED_MAX ? ms : 0)

const RATE_MIN = 0.001
const MEASURED_MAX = 1e9

/** Of one pool; an agent keeps far fewer. */
const CELLS_MAX = 512

const whatIsKnown = (wire: WirePool) => {
  const computeCapability = Number.parseFloat(wire.computeCapability)
  const { performance } = wire
  return {
    ...(wire.instanceId === '' ? {} : { instanceId: wire.instanceId as InstanceId }),
    ...(wire.vramTotalBytes === undefined ? {} : { vramTotalBytes: Number(wire.vramTotalBytes) }),
    ...(wire.vramFreeBytes === undefined ? {} : { vramFreeBytes: Number(wire.vramFreeBytes) }),
    ...(Number.isFinite(computeCapability) ? { computeCapability } : {}),
    ...(wire.kvTotalBytes === undefined ? {} : { kvTotalBytes: Number(wire.kvTotalBytes) }),
    ...(wire.kvFreeBytes === undefined ? {} : { kvFreeBytes: Number(wire.kvFreeBytes) }),
    // An average of nothing is no measurement.
    ...(performance && performance.samples > 0 && isRate(performance.tokensPerS)
      ? { performance: toPerformance(performance) }
      : {}),
  }
}

const POOL_STATES: Readonly<Record<number, PoolState>> = {
  [WirePoolState.STOPPED]: 'stopped',
  [WirePoolState.PREPARING]: 'preparing',
  [WirePoolState.STARTING]: 'starting',
  [WirePoolState.READY]: 'ready',
  [WirePoolState.DRAINING]: 'draining',
  [WirePoolState.STOPPING]: 'stopping',
  [WirePoolState.BACKOFF]: 'backoff',
  [WirePoolState.FAILED]: 'failed',
  [WirePoolState.CRASHED]: 'crashed',
}

const RESIDENCIES: Readonly<Record<number, Residency>> = {
  [WireResidency.ABSENT]: 'absent',
  [WireResidency.DOWNLOADING]: 'downloading',
  [WireResidency.ON_DISK]: 'on_disk',
  [WireResidency.LOADING]: 'loading',
  [WireResidency.RESIDENT]: 'resident',
  [WireResidency.DRAINING]: 'draining',
  [WireResidency.UNLOADING]: 'unloading',
  [WireResidency.FAILED]: 'failed',
}

const DEVICE_KINDS: Readonly<Record<number, DeviceKind>> = {
  [WireDeviceKind.CPU]: 'cpu',
  [WireDeviceKind.NVIDIA]: 'nvidia',
  [WireDeviceKind.NVIDIA_MIG]: 'nvidia_mig',
  [WireDeviceKind.AMD]: 'amd',
}
