import { describe, expect, it } from '@jest/globals'
import { readGpuList } from './gpu-list.ts'
import { memoryOfProfile, readMigMemory } from './mig-memory.ts'
import { fixture } from './testing/fixture.ts'

const MIB = 1_048_576

describe('nvidia-smi -L', () => {
  it('[002-05a] lists a GPU without slices', () => {
    expect(readGpuList(fixture('list_rtx-4080-super_595.71.05.txt'))).toEqual([
      {
        index: 0,
        name: 'NVIDIA GeForce RTX 4080 SUPER',
        uuid: 'GPU-00000000-0000-0000-0000-000000000000',
        slices: [],
      },
    ])
  })

  it.each([
    ['list_h100-mig_590.48.01.txt', ['3g.40gb', '2g.20gb', '1g.10gb', '1g.10gb']],
    ['list_h200-mig_590.48.01.txt', ['1c.3g.71gb', '2c.3g.71gb', '2g.35gb', '1g.18gb', '1g.18gb']],
  ])('[002-05c] lists the slices of a GPU in MIG mode (%s)', (name, profiles) => {
    const [gpu] = readGpuList(fixture(name))
    expect(gpu!.slices.map(({ profile }) => profile)).toEqual(profiles)
    expect(gpu!.slices.map(({ index }) => index)).toEqual(profiles.map((_, index) => index))
    expect(new Set(gpu!.slices.map(({ uuid }) => uuid)).size).toBe(profiles.length)
  })

  it('reads the names older drivers give slices', () => {
    const text = 'GPU 0: A100 (UUID: GPU-a)\n  MIG 1g.5gb Device 0: (UUID: MIG-GPU-a-b/7/0)\n'
    expect(readGpuList(text)[0]!.slices).toEqual([
      { index: 0, profile: '1g.5gb', uuid: 'MIG-GPU-a-b/7/0' },
    ])
  })
})

describe('the memory of slices', () => {
  it('[002-05c] stands in nvidia-smi -q -x, slice by slice', () => {
    const slices = readMigMemory(fixture('qx_a100-sxm4-mig_535.54.03.xml'))
    expect(slices.length).toBeGreaterThan(3)
    expect(slices[0]).toMatchObject({
      index: 0,
      memoryTotalBytes: 19_968 * MIB,
      memoryFreeBytes: 19_955 * MIB,
    })
    expect(new Set(slices.map(({ gpuUuid, index }) => `${gpuUuid} ${index}`)).size).toBe(
      slices.length,
    )
  })

  it('is none where no GPU has slices', () => {
    expect(readMigMemory(fixture('qx_tesla-t4.xml'))).toEqual([])
  })

  it('can be guessed from the profile when the driver does not tell', () => {
    expect(memoryOfProfile('1g.10gb')).toBe(10e9)
    expect(memoryOfProfile('1c.3g.71gb')).toBe(71e9)
    expect(memoryOfProfile('strange')).toBeUndefined()
  })
})
