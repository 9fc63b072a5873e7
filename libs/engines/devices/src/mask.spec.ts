import { describe, expect, it } from '@jest/globals'
import { checkBudgets } from './check-budgets.ts'
import { maskEnv } from './mask-env.ts'
import { maskFacts } from './mask-memory.ts'
import { resolveMask } from './resolve-mask.ts'
import { card, cpu, gpu, slice } from './testing/devices.ts'

const GIB = 1024 ** 3
const cut = gpu(0, { isPartitioned: true })
const ids = (mask: readonly string[], found = [cpu, gpu(0), gpu(1)]) =>
  resolveMask(mask, found).devices.map(({ deviceId }) => deviceId)
const problems = (mask: readonly string[], found = [cpu, gpu(0), gpu(1)]) =>
  resolveMask(mask, found).problems

describe('a mask', () => {
  it.each([
    [
      ['0', '1'],
      ['0', '1'],
    ],
    [
      ['1', '0'],
      ['1', '0'],
    ],
    [['GPU1'], ['1']],
    [[gpu(1).uuid], ['1']],
    [[gpu(1).uuid.toUpperCase()], ['1']],
    [['cpu'], ['cpu']],
  ])('%j names %j by index, UUID or cpu [002-22a, 002-27b]', (mask, expected) => {
    expect(ids(mask)).toEqual(expected)
    expect(problems(mask)).toEqual([])
  })

  it('of two spellings of one device names one device', () => {
    expect(ids(['0', gpu(0).uuid, 'gpu0'])).toEqual(['0'])
  })

  it('[002-05c] names a slice by its place or its UUID', () => {
    const found = [cpu, cut, slice(0), slice(1)]
    expect(ids(['0:1'], found)).toEqual(['0:1'])
    expect(ids([slice(1).uuid], found)).toEqual(['0:1'])
  })

  it('[002-22a2, 002-27b] with anything wrong tells all of it, and what there is', () => {
    expect(problems(['7', '0', 'GPU-nowhere'])).toEqual([
      '[0]: this host has no device 7, only cpu, 0, 1',
      '[2]: this host has no device GPU-nowhere, only cpu, 0, 1',
    ])
    expect(problems(['9', 'cpu', '0'])).toHaveLength(2)
    expect(problems([])).toEqual([': names no device; leave it out for the cpu'])
  })

  it('may name what is not there now while a driver does not answer', () => {
    expect(resolveMask(['0', '1'], [cpu, gpu(1)], { isIncomplete: true })).toEqual({
      devices: [gpu(1)],
      unknown: ['0'],
      problems: [],
    })
  })

  it('[002-22a2] holds devices that one engine can use together', () => {
    expect(problems(['cpu', '0'])).toEqual([': cpu and nvidia devices cannot serve one engine'])
    expect(problems(['0', '1'], [gpu(0), card(1)])).toHaveLength(1)
    const found = [cut, slice(0), slice(1), gpu(1)]
    expect(problems(['0:0', '0:1'], found)).toHaveLength(1)
    expect(problems(['0:0', '1'], found)).toHaveLength(1)
    expect(problems(['0'], found)).toEqual([
      '[0]: device 0 is cut into slices (MIG): name one of 0:0, 0:1',
    ])
    expect(problems(['0'], [cut])).toEqual([
      '[0]: device 0 is in MIG mode and has no slice: make one, or turn MIG off',
    ])
  })
})

describe('the environment of a mask', () => {
  it('[002-08b] names NVIDIA devices by UUID, slices too', () => {
    expect(maskEnv([gpu(1), gpu(0)])).toEqual({
      CUDA_VISIBLE_DEVICES: `${gpu(1).uuid},${gpu(0).uuid}`,
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    })
    expect(maskEnv([slice(1)])).toMatchObject({ CUDA_VISIBLE_DEVICES: slice(1).uuid })
  })

  it('counts AMD cards within those it shows', () => {
    expect(maskEnv([card(2), card(3)])).toEqual({
      ROCR_VISIBLE_DEVICES: `${card(2).uuid},${card(3).uuid}`,
      HIP_VISIBLE_DEVICES: '0,1',
      CUDA_VISIBLE_DEVICES: '0,1',
    })
    expect(maskEnv([card(2, { uuid: 'amd-card2' })])).toEqual({
      HIP_VISIBLE_DEVICES: '2',
      CUDA_VISIBLE_DEVICES: '2',
    })
  })

  it('of the processor shows no GPU', () => {
    expect(maskEnv([cpu])).toEqual({ CUDA_VISIBLE_DEVICES: '', HIP_VISIBLE_DEVICES: '-1' })
  })
})

describe('what a pool has of its mask', () => {
  it('[002-12b] is the sum of its GPUs, and the least of their capabilities', () => {
    const both = [gpu(0, { computeCapability: '12.0' }), gpu(1, { computeCapability: '9.0' })]
    expect(maskFacts(both)).toEqual({
      vramTotalBytes: 160 * GIB,
      vramFreeBytes: 120 * GIB,
      computeCapability: '9.0',
    })
  })

  it('is not known where one of them does not tell', () => {
    const { memoryFreeBytes: _, ...mute } = gpu(1, { computeCapability: '' })
    expect(maskFacts([gpu(0), mute])).toEqual({ vramTotalBytes: 160 * GIB, computeCapability: '' })
  })

  it('is no more than its budget of each, and nothing on the processor', () => {
    expect(maskFacts([gpu(0), gpu(1)], 70 * GIB)).toMatchObject({
      vramTotalBytes: 140 * GIB,
      vramFreeBytes: 120 * GIB,
    })
    expect(maskFacts([cpu])).toEqual({ computeCapability: '' })
  })
})

describe('budgets of pools', () => {
  const [one, two] = [gpu(0), gpu(1)]
  const claim = (poolId: string, devices = [one], gib?: number) => ({
    ...{ where: `pools[${poolId}]`, poolId, devices },
    ...(gib === undefined ? {} : { budgetBytes: gib * GIB }),
  })

  it('may fill a device to the last byte', () => {
    expect(checkBudgets([claim('a', [one], 50), claim('b', [one], 30), claim('c')])).toEqual([])
  })

  it('beyond what a device has are named with all who share it, device by device', () => {
    const found = checkBudgets([
      claim('a', [one, two], 50),
      claim('b', [one], 31),
      claim('c', [two], 31),
    ])
    expect(found).toEqual([
      expect.stringMatching(/^pools\[b\]\.vram_budget_bytes: device 0 has .*\(a \d+, b \d+\)$/),
      expect.stringMatching(/^pools\[c\]\.vram_budget_bytes: device 1 has .*\(a \d+, c \d+\)$/),
    ])
  })
})
