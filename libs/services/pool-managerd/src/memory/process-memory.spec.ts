import { expect, it } from '@jest/globals'
import type { FoundDevice } from '@berth/devices'
import { createHeardMemory } from './heard-memory.ts'
import { usesOfProcesses } from './process-memory.ts'

const device = (deviceId: string, more: Partial<FoundDevice> = {}): FoundDevice => ({
  ...{ deviceId, uuid: `GPU-${deviceId}`, name: '', kind: 'nvidia', computeCapability: '' },
  cores: 0,
  ...more,
})
const MIB = 1_048_576
const two = [device('0'), device('1')]

it('adds up the processes of an engine on each GPU of its mask', () => {
  const shown = [
    { gpuUuid: 'GPU-0', pid: 1, memoryBytes: 10 },
    { gpuUuid: 'GPU-0', pid: 2, memoryBytes: 5 },
    { gpuUuid: 'GPU-1', pid: 2, memoryBytes: 7 },
    { gpuUuid: 'GPU-0', pid: 3, memoryBytes: 100 },
  ]
  expect(usesOfProcesses(shown, new Set([1, 2]), two)).toEqual([
    { deviceId: '0', bytes: 15 },
    { deviceId: '1', bytes: 7 },
  ])
})

it.each([
  ['nobody can tell', undefined],
  ['none of them is shown', [{ gpuUuid: 'GPU-0', pid: 9, memoryBytes: 1 }]],
  ['not how much', [{ gpuUuid: 'GPU-0', pid: 1 }]],
  ['one is where the pool is not', [{ gpuUuid: 'GPU-7', pid: 1, memoryBytes: 1 }]],
])('says nothing where %s', (_, shown) => {
  expect(usesOfProcesses(shown, new Set([1]), two)).toBeUndefined()
})

it('gives the memory of a GPU to its one slice in the mask, and to none of two', () => {
  const slice = (id: string) =>
    device(id, { kind: 'nvidia_mig', uuid: `MIG-${id}`, parentUuid: 'GPU-0' })
  const shown = [{ gpuUuid: 'GPU-0', pid: 1, memoryBytes: 10 }]
  expect(usesOfProcesses(shown, new Set([1]), [slice('0:0')])).toEqual([
    { deviceId: '0:0', bytes: 10 },
  ])
  expect(usesOfProcesses(shown, new Set([1]), [slice('0:0'), slice('0:1')])).toBeUndefined()
})

it('adds up buffers as llama-server prints them: caches in parts, the largest compute buffer', () => {
  const heard = createHeardMemory()
  const say = (name: string, use: 'weights' | 'kv' | 'compute', mib: number) =>
    heard.hear({ kind: 'memory', device: name, use, bytes: mib * MIB })
  say('CPU_Mapped', 'weights', 500)
  say('CUDA0', 'weights', 4_000)
  say('CUDA1', 'weights', 3_000)
  say('CUDA0', 'kv', 64)
  say('CUDA0', 'kv', 32)
  say('CUDA0', 'compute', 300)
  say('CUDA0', 'compute', 250)
  heard.hear({ kind: 'kv_room', tokens: 8_192 })
  expect(heard.uses(two)).toEqual([
    { deviceId: '0', bytes: 4_396 * MIB },
    { deviceId: '1', bytes: 3_000 * MIB },
  ])
  expect(heard).toMatchObject({ kvBytes: 96 * MIB, kvTokens: 8_192 })
  expect(heard.uses([device('cpu', { kind: 'cpu' })])).toEqual([
    { deviceId: 'cpu', bytes: (4_396 + 3_000 + 500) * MIB },
  ])
})
