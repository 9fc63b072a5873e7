import type { HostId } from '@berth/kernel'
import type { PoolSnapshot } from './pool-snapshot.ts'

/** What runs an engine; decides the default hints of a pool that has none of its own. */
export type DeviceKind = 'cpu' | 'nvidia' | 'nvidia_mig' | 'amd' | 'unknown'

/** What engines compute on: a GPU, or the host's CPU. */
export interface Device {
  /** Stable within the host: an index, or `cpu`. Pools name devices by it in their mask. */
  readonly deviceId: string
  readonly kind: DeviceKind
  /** Absent when the host cannot tell. */
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
}

/**
 * The full state of one host. It replaces everything known of that host; `(epoch, revision)`
 * orders snapshots. Epochs are agent lives, revisions count changes within one.
 */
export interface HostSnapshot {
  readonly hostId: HostId
  readonly epoch: number
  readonly revision: number
  readonly grpcAddress: string
  readonly ingressAddress: string
  readonly devices: readonly Device[]
  readonly pools: readonly PoolSnapshot[]
  /** The highest leader term the agent has seen. */
  readonly term: number
  /** The agent is stopping: nothing new here. */
  readonly isDraining: boolean
}

/** Says that a host is alive with the snapshot `(epoch, revision)`. */
export interface HostHeartbeat {
  readonly hostId: HostId
  readonly epoch: number
  readonly revision: number
}
