import { DeviceKind, PoolMode, PoolState, ServiceState } from '@berth/contract'
import type { PoolMode as Mode, PoolStateKind, ServiceState as Service } from '@berth/supervision'
import type { DeviceKind as FoundKind } from '@berth/devices'

// Our words to those on the wire; a word without a number does not compile.

export const POOL_STATE = {
  stopped: PoolState.STOPPED,
  preparing: PoolState.PREPARING,
  starting: PoolState.STARTING,
  ready: PoolState.READY,
  draining: PoolState.DRAINING,
  stopping: PoolState.STOPPING,
  backoff: PoolState.BACKOFF,
  failed: PoolState.FAILED,
  crashed: PoolState.CRASHED,
} as const satisfies Record<PoolStateKind, PoolState>

export const SERVICE_STATE = {
  Running: ServiceState.RUNNING,
  Starting: ServiceState.STARTING,
  Stopping: ServiceState.STOPPING,
  Stopped: ServiceState.STOPPED,
  Failed: ServiceState.FAILED,
  Crashed: ServiceState.CRASHED,
  Unknown: ServiceState.UNKNOWN,
} as const satisfies Record<Service, ServiceState>

export const POOL_MODE = {
  managed: PoolMode.MANAGED,
  monitored: PoolMode.MONITORED,
  external: PoolMode.EXTERNAL,
} as const satisfies Record<Mode, PoolMode>

export const DEVICE_KIND = {
  cpu: DeviceKind.CPU,
  nvidia: DeviceKind.NVIDIA,
  nvidia_mig: DeviceKind.NVIDIA_MIG,
  amd: DeviceKind.AMD,
} as const satisfies Record<FoundKind, DeviceKind>
