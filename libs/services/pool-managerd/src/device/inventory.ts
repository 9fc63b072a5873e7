/** What a device is: a GPU, a slice of one, or the processor. */
export type DeviceKind = 'cpu' | 'nvidia' | 'nvidia_mig' | 'amd'

/** One device as found. What the host cannot tell is absent, never 0. */
export interface FoundDevice {
  /** An index, or `cpu`. */
  readonly deviceId: string
  readonly uuid: string
  readonly name: string
  readonly kind: DeviceKind
  readonly computeCapability: string
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
  readonly utilizationPercent?: number
  readonly temperatureC?: number
  readonly cores: number
}

/** Looks at the devices of this host, as a port. A missing tool is no device, not an error. */
export type Inventory = () => Promise<readonly FoundDevice[]>
