import type { Metrics } from '@berth/runtime'
import { balanceOf } from '@berth/memory'
import type { MemoryBook } from './memory-book.ts'

/** Gauges that are read from the ledger when somebody scrapes. */
export const watchLedger = (
  metrics: Metrics,
  memory: Pick<MemoryBook, 'ledger' | 'errors'>,
): void => {
  metrics.read('berth_ledger_bytes', (show) => {
    const { entries } = memory.ledger
    for (const { state, shares } of entries)
      for (const { deviceId: device, usedBytes, reservedBytes } of shares)
        show({ device, state }, usedBytes ?? reservedBytes)
  })
  metrics.read('berth_device_memory_available_bytes', (show) => {
    for (const { deviceId: device } of memory.ledger.devices) {
      const { availableBytes } = balanceOf(memory.ledger, device)
      if (availableBytes !== undefined) show({ device }, availableBytes)
    }
  })
  metrics.read('berth_vram_estimate_error_ratio', (show) => {
    for (const [pool_id, ratio] of memory.errors) show({ pool_id }, ratio)
  })
}
