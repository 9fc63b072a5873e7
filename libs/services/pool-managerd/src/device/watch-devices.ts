import type { FoundDevice } from '@berth/devices'
import type { Metrics } from '@berth/runtime'

type DeviceGauge =
  | 'berth_device_memory_total_bytes'
  | 'berth_device_memory_free_bytes'
  | 'berth_device_utilization_percent'
  | 'berth_device_temperature_celsius'
  | 'berth_device_fault'

/** Gauges that are read from the last look when somebody scrapes. What is not known is absent. */
export const watchDevices = (metrics: Metrics, devices: () => readonly FoundDevice[]): void => {
  const perDevice = (name: DeviceGauge, read: (device: FoundDevice) => number | undefined) =>
    metrics.read(name, (show) => {
      for (const device of devices()) {
        const value = read(device)
        if (value !== undefined) show({ device: device.deviceId }, value)
      }
    })
  perDevice('berth_device_memory_total_bytes', ({ memoryTotalBytes }) => memoryTotalBytes)
  perDevice('berth_device_memory_free_bytes', ({ memoryFreeBytes }) => memoryFreeBytes)
  perDevice('berth_device_utilization_percent', ({ utilizationPercent }) => utilizationPercent)
  perDevice('berth_device_temperature_celsius', ({ temperatureC }) => temperatureC)
  perDevice('berth_device_fault', ({ fault }) => (fault ? 1 : 0))
}
