import { expect, it } from '@jest/globals'
import { toAmdDevices } from './amd-devices.ts'
import { readGpuList } from './gpu-list.ts'
import { readGpus } from './gpu-query.ts'
import { toNvidiaDevices } from './nvidia-devices.ts'
import { readCards } from './rocm-smi.ts'
import { fixture } from './testing/fixture.ts'

const host = { totalBytes: 128e9, freeBytes: 100e9 }
const gpus = readGpus(fixture('query-gpu-all-fields_h100-mig_load_590.48.01.csv'))
const list = readGpuList(fixture('list_h100-mig_590.48.01.txt'))

it('[002-05c, 002-01] a GPU in MIG mode and each of its slices are devices', () => {
  const sliceMemory = [
    { gpuUuid: gpus[0]!.uuid, index: 1, memoryTotalBytes: 21e9, memoryFreeBytes: 20e9 },
  ]
  const devices = toNvidiaDevices({ gpus, list, sliceMemory, host })
  expect(devices.map(({ deviceId, kind }) => [deviceId, kind])).toEqual([
    ['0', 'nvidia'],
    ['0:0', 'nvidia_mig'],
    ['0:1', 'nvidia_mig'],
    ['0:2', 'nvidia_mig'],
    ['0:3', 'nvidia_mig'],
  ])
  expect(devices[2]).toMatchObject({
    uuid: 'MIG-00000001-0000-0000-0000-000000000001',
    parentUuid: gpus[0]!.uuid,
    name: 'NVIDIA H100 80GB HBM3 MIG 2g.20gb',
    computeCapability: '9.0',
    memoryTotalBytes: 21e9,
    memoryFreeBytes: 20e9,
  })
  // Where the driver did not tell, the profile does, and nobody knows what is free.
  expect(devices[3]).toMatchObject({ memoryTotalBytes: 10e9 })
  expect(devices[3]).not.toHaveProperty('memoryFreeBytes')
})

it('a GPU without memory of its own has that of the host', () => {
  const [gb10] = gpus.map(({ memoryTotalBytes: _, memoryFreeBytes: __, ...gpu }) => ({
    ...gpu,
    ...{ isPartitioned: false, sharesHostMemory: true },
  }))
  expect(toNvidiaDevices({ gpus: [gb10!], host })[0]).toMatchObject({
    memoryTotalBytes: 128e9,
    memoryFreeBytes: 100e9,
  })
})

it('a slice shares the fault of its GPU', () => {
  const fault = { kind: 'needs_reset', message: 'Reset it.' } as const
  const devices = toNvidiaDevices({ gpus: [{ ...gpus[0]!, fault }], list, host })
  expect(devices.map((device) => device.fault)).toEqual(devices.map(() => fault))
})

it('AMD cards are devices, named by their place where they have no id', () => {
  const of = (name: string) => toAmdDevices(readCards(fixture(name)))
  expect(of('rx7800xt_rocm6.2.4.json')[0]).toMatchObject({
    ...{ deviceId: '0', uuid: 'GPU-5c88007d760374f3', kind: 'amd' },
  })
  expect(of('showall_rx6700xt_rocm4.3.0.json')[0]).toMatchObject({ uuid: 'amd-card0' })
})
