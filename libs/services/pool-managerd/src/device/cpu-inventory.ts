import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import type { Inventory } from './inventory.ts'

/** The processor and its RAM as a device of its own. */
export const cpuInventory: Inventory = () =>
  Promise.resolve([
    {
      deviceId: 'cpu',
      uuid: 'cpu',
      name: cpus()[0]?.model.trim() || 'CPU',
      kind: 'cpu',
      computeCapability: '',
      memoryTotalBytes: totalmem(),
      memoryFreeBytes: freemem(),
      cores: availableParallelism(),
    },
  ])
