import type { FoundDevice } from '../device.ts'

const GIB = 1024 ** 3

export const gpu = (index: number, more: Partial<FoundDevice> = {}): FoundDevice => ({
  deviceId: String(index),
  uuid: `GPU-0000000${index}-aaaa-bbbb-cccc-000000000000`,
  name: 'NVIDIA Example',
  kind: 'nvidia',
  computeCapability: '8.9',
  memoryTotalBytes: 80 * GIB,
  memoryFreeBytes: 60 * GIB,
  cores: 0,
  ...more,
})

export const slice = (index: number, more: Partial<FoundDevice> = {}): FoundDevice =>
  gpu(0, {
    deviceId: `0:${index}`,
    uuid: `MIG-0000000${index}-aaaa-bbbb-cccc-000000000000`,
    kind: 'nvidia_mig',
    parentUuid: gpu(0).uuid,
    memoryTotalBytes: 10 * GIB,
    ...more,
  })

export const card = (index: number, more: Partial<FoundDevice> = {}): FoundDevice =>
  gpu(index, { uuid: `GPU-00000000000000a${index}`, kind: 'amd', computeCapability: '', ...more })

export const cpu: FoundDevice = {
  ...{ deviceId: 'cpu', uuid: 'cpu', name: 'Some CPU', kind: 'cpu', computeCapability: '' },
  memoryTotalBytes: 16 * GIB,
  cores: 8,
}
