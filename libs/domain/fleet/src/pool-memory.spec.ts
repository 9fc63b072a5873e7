import { describe, expect, it } from '@jest/globals'
import type { Device } from './host-snapshot.ts'
import { readMemory } from './pool-memory.ts'
import { poolSnapshot, type PoolDraft } from './testing/snapshots.ts'

const card = (deviceId: string, totalGb?: number, freeGb?: number): Device => ({
  deviceId,
  kind: 'nvidia',
  ...(totalGb === undefined ? {} : { memoryTotalBytes: totalGb }),
  ...(freeGb === undefined ? {} : { memoryFreeBytes: freeGb }),
})
/** A card of 24 with 20 free, and one of 12 with 11 free. */
const RIG = [card('0', 24, 20), card('1', 12, 11)]
const BOTH = { deviceMask: ['0', '1'] }

describe('the memory of a pool', () => {
  it.each<[string, readonly Device[], PoolDraft, number, number]>([
    ['that says its own', RIG, { deviceMask: ['0'], vramTotalBytes: 9, vramFreeBytes: 4 }, 9, 4],
    ['on one device is that of the device', RIG, { deviceMask: ['0'] }, 24, 20],
    ['over unequal devices is the smallest times their number', RIG, BOTH, 24, 22],
    ['split 2:1 is all of both', RIG, { ...BOTH, deviceSplit: [2, 1] }, 36, 30],
    ['split 1:2 is bounded by the small one', RIG, { ...BOTH, deviceSplit: [1, 2] }, 18, 16],
    [
      'that leaves a device out is that of the other',
      RIG,
      { ...BOTH, deviceSplit: [1, 0] },
      24,
      20,
    ],
    ['with a split of another length has equal shares', RIG, { ...BOTH, deviceSplit: [1] }, 24, 22],
    ['that says more than its devices can hold', RIG, { ...BOTH, vramTotalBytes: 36 }, 24, 22],
    ['with a device that cannot tell is what it says', [card('0'), RIG[1]!], BOTH, 0, 0],
    [
      'whose devices only know their size counts as free',
      [card('0', 24)],
      { deviceMask: ['0'] },
      24,
      24,
    ],
    ['of a CPU is no video memory', [{ ...card('cpu', 64, 60), kind: 'cpu' }], {}, 0, 0],
  ])('[004-04a] %s', (_, devices, draft, vramTotalBytes, vramFreeBytes) => {
    const memory = readMemory(devices, poolSnapshot('p', draft))
    expect(memory).toMatchObject({ vramTotalBytes, vramFreeBytes })
  })

  it.each<[string, PoolDraft, number, number]>([
    ['is video memory', { deviceMask: ['0'] }, 24, 20],
    ['is what the engine reserved', { deviceMask: ['0'], kvTotalBytes: 5, kvFreeBytes: 3 }, 5, 3],
    ['is all of the reserve when its use is not known', { kvTotalBytes: 5 }, 5, 5],
    ['has no bound that anybody knows', {}, Infinity, Infinity],
  ])('for caches %s', (_, draft, kvTotalBytes, kvFreeBytes) => {
    expect(readMemory(RIG, poolSnapshot('p', draft))).toMatchObject({ kvTotalBytes, kvFreeBytes })
  })
})
