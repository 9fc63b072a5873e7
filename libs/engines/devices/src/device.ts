/** What a device is: a GPU, a slice of one, or the processor. */
export type DeviceKind = 'cpu' | 'nvidia' | 'nvidia_mig' | 'amd'

/** Why a device cannot be used, and what to do about it. */
export interface DeviceFault {
  readonly kind:
    | 'driver_not_running'
    | 'driver_mismatch'
    | 'library_missing'
    | 'no_permission'
    | 'device_lost'
    | 'needs_reset'
    | 'needs_reboot'
    | 'memory_error'
    | 'xid'
    | 'tool_hung'
    | 'tool_failed'
  /** Cause, fact and next step, in one or two sentences. */
  readonly message: string
}

/** One device as found. What the host cannot tell is absent, never 0. */
export interface FoundDevice {
  /** Stable while the agent lives: an index, `0:1` for a MIG slice, or `cpu`. */
  readonly deviceId: string
  /** Names the device over reboots, as the driver says it. */
  readonly uuid: string
  /** At most 256 characters. */
  readonly name: string
  readonly kind: DeviceKind
  /** Such as 8.9; empty where the device has none. */
  readonly computeCapability: string
  /** Video memory; RAM for the processor and for GPUs that share it. */
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
  readonly utilizationPercent?: number
  readonly temperatureC?: number
  /** Of the processor; 0 for others. */
  readonly cores: number
  readonly driverVersion?: string
  /** `0000:91:00`, as the kernel log names it. */
  readonly pciBusId?: string
  /** A GPU that is cut into slices: only they can be used. */
  readonly isPartitioned?: boolean
  /** The GPU a slice is part of. */
  readonly parentUuid?: string
  /** The driver says itself when this GPU needs a reset: kernel messages add nothing. */
  readonly reportsRecovery?: boolean
  /** Absent when it is well. */
  readonly fault?: DeviceFault
}
