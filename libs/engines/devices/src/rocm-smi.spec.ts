import { describe, expect, it } from '@jest/globals'
import { readCards } from './rocm-smi.ts'
import { fixture } from './testing/fixture.ts'

const of = (name: string) => readCards(fixture(name))

describe('recorded answers of rocm-smi [003-TC-04, 003-IT-004]', () => {
  it('[003-NFR-018, 001-GPM-1] of ROCm 6.2.4 give id, name, memory in bytes, load and heat', () => {
    expect(of('rx7800xt_rocm6.2.4.json')).toEqual([
      {
        index: 0,
        uuid: 'GPU-5c88007d760374f3',
        name: 'Navi 32 [Radeon RX 7700 XT / 7800 XT]',
        memoryTotalBytes: 17_163_091_968,
        memoryFreeBytes: 17_163_091_968 - 11_615_076_352,
        utilizationPercent: 100,
        temperatureC: 45,
      },
    ])
  })

  it('of four cards give four, ids filled up to sixteen digits', () => {
    const cards = of('showall_4x-mi100_rocm6.0.2.json')
    expect(cards.map(({ index, uuid }) => [index, uuid])).toEqual([
      [0, 'GPU-79ccd55167a2124a'],
      [1, 'GPU-04edfb117a17a07d'],
      [2, 'GPU-d4a9ec48d03d261d'],
      [3, 'GPU-1b9dd972253c3736'],
    ])
    expect(cards[3]).toMatchObject({
      name: 'Arcturus GL-XL [Instinct MI100]',
      memoryTotalBytes: 34_342_961_152,
      driverVersion: '6.3.6',
    })
  })

  it.each([
    ['showall_mi50-32gb_older.json', 'Radeon Instinct MI50 32GB', 34_342_961_152],
    ['showall_rx6700xt_rocm4.3.0.json', 'AMD GPU', 12_868_124_672],
    ['showall_rx6700xt_rocm6.1.2.json', 'Navi 22 [Radeon RX 6700/6700 XT / 6800M]', 12_868_124_672],
    ['hygon-dcu_24.04.3.json', 'DCU xxxx', 65_520 * 1_048_576],
  ])('of %s are read whatever the case and unit of their keys', (name, model, total) => {
    expect(of(name)).toEqual([
      expect.objectContaining({
        name: model,
        memoryTotalBytes: total,
        memoryFreeBytes: expect.any(Number),
        utilizationPercent: 0,
        temperatureC: expect.any(Number),
      }),
    ])
  })

  it('have no id where the card has none', () => {
    expect(of('showall_rx6700xt_rocm6.1.2.json')[0]).not.toHaveProperty('uuid')
  })

  it('may follow warnings, and are no cards when they are no JSON', () => {
    const json = '{"card0": {"GPU use (%)": "3"}, "system": {"Driver version": "6"}}'
    expect(readCards(`WARNING: {deprecated}\n${json}`)).toHaveLength(1)
    for (const text of ['', '{', 'ERROR: no amdgpu', '{"card0": 3}', '{"card0": ', '[1]'])
      expect(readCards(text).filter(({ memoryTotalBytes }) => memoryTotalBytes)).toEqual([])
  })
})
