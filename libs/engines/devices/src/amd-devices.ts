import type { FoundDevice } from './device.ts'
import type { CardReading } from './rocm-smi.ts'

/** Cards as devices. One without an id of its own is named by its place. */
export const toAmdDevices = (cards: readonly CardReading[]): FoundDevice[] =>
  cards.map(({ index, uuid, ...reading }) => ({
    ...{ deviceId: String(index), uuid: uuid ?? `amd-card${index}`, kind: 'amd', cores: 0 },
    computeCapability: '',
    ...reading,
  }))
