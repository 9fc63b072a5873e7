import { describe, expect, it } from '@jest/globals'
import { GPU_FIELDS, gpuQueryArgs, readBusId, readGpus, readUnknownField } from './gpu-query.ts'
import { fixture } from './testing/fixture.ts'

const MIB = 1_048_576
const recorded = (name: string) => readGpus(fixture(`query-gpu-all-fields_${name}.csv`))
/** A row of our own query, without header and units. */
const row = (more: Readonly<Record<string, string>> = {}) =>
  GPU_FIELDS.map((field) => ({ ...PLAIN, ...more })[field]).join(', ')
const PLAIN: Readonly<Record<string, string>> = {
  index: '1',
  uuid: 'GPU-1a2b3c4d-0000-1111-2222-333344445555',
  name: 'NVIDIA L4',
  'memory.total': '23034',
  'memory.free': '22000',
  'utilization.gpu': '3',
  'temperature.gpu': '41',
  compute_cap: '8.9',
  'mig.mode.current': '[N/A]',
  driver_version: '550.90.07',
  pstate: 'P8',
  'pci.bus_id': '00000000:81:00.0',
  'ecc.errors.uncorrected.volatile.total': '0',
  gpu_recovery_action: 'None',
}

describe('recorded answers of nvidia-smi --query-gpu [003-TC-04, 003-IT-004]', () => {
  it('[002-05b, 001-GPU-1, 001-GPU-2, 001-GPU-3, 001-GPU-4] give uuid, name and memory', () => {
    expect(recorded('h100_load_590.48.01')).toEqual([
      {
        index: 0,
        uuid: 'GPU-00000000-0000-0000-0000-000000000000',
        name: 'NVIDIA H100 80GB HBM3',
        memoryTotalBytes: 81_559 * MIB,
        memoryFreeBytes: 61_263 * MIB,
        sharesHostMemory: false,
        utilizationPercent: 100,
        temperatureC: 59,
        computeCapability: '9.0',
        isPartitioned: false,
        driverVersion: '590.48.01',
        performanceState: 'P0',
        pciBusId: '0000:00:09',
        recoveryAction: 'None',
      },
    ])
  })

  it('[001-GPU-5, 001-GPM-2] have no utilization under MIG rather than 0', () => {
    const [gpu] = recorded('h100-mig_load_590.48.01')
    expect(gpu).toMatchObject({ isPartitioned: true, temperatureC: 53 })
    expect(gpu).not.toHaveProperty('utilizationPercent')
  })

  it.each([
    ['l40s_load_595.80', '8.9', 46_068, 44_225, 54],
    ['rtx-2080-super_idle_610.57.04', '7.5', 8_192, 7_582, 33],
    ['rtx-4080-super_load_595.71.05', '8.9', 16_376, 14_470, 46],
    ['windows_rtx-2080-super_load_591.86', '7.5', 8_192, 6_692, 45],
  ])('[001-GPM-3, 001-GPU-6] of %s are read whole', (name, capability, total, free, heat) => {
    const gpus = recorded(name)
    expect(gpus).toHaveLength(1)
    expect(gpus[0]).toMatchObject({
      computeCapability: capability,
      memoryTotalBytes: total * MIB,
      memoryFreeBytes: free * MIB,
      temperatureC: heat,
      isPartitioned: false,
    })
    expect(gpus[0]).not.toHaveProperty('fault')
  })
})

describe('our own query [003-TC-04]', () => {
  it('[001-GPM-1] asks for the uuid, without header and units', () => {
    const args = gpuQueryArgs(GPU_FIELDS)
    expect(args[0]).toMatch(/^--query-gpu=index,uuid,name,memory\.total,memory\.free,/)
    expect(args).toContain('--format=csv,noheader,nounits')
    expect(gpuQueryArgs(['uuid'], ['GPU-a', 'GPU-b'])).toContain('--id=GPU-a,GPU-b')
  })

  it('[001-GPM-5] is read by the places of its fields, several GPUs at once', () => {
    const gpus = readGpus(`${row({ index: '0', uuid: 'GPU-a' })}\r\n${row()}\n`)
    expect(gpus.map(({ index, uuid }) => [index, uuid])).toEqual([
      [0, 'GPU-a'],
      [1, PLAIN['uuid']],
    ])
    expect(gpus[1]).toMatchObject({ memoryFreeBytes: 22_000 * MIB, pciBusId: '0000:81:00' })
  })

  it('is asked again without a field that the driver does not know, but never without memory', () => {
    const said = (field: string) => `Field "${field}" is not a valid field to query.\n\n`
    expect(readUnknownField(said('compute_cap'))).toBe('compute_cap')
    expect(readUnknownField(said('gpu_recovery_action'))).toBe('gpu_recovery_action')
    expect(readUnknownField(said('memory.total'))).toBeUndefined()
    expect(readUnknownField('No devices were found')).toBeUndefined()
  })

  it.each(['[N/A]', 'N/A', '[Not Supported]', '[Unknown Error]', '[Insufficient Permissions]', ''])(
    '[001-GPU-7] takes %j for not known, never for 0',
    (cell) => {
      const fields = ['memory.free', 'utilization.gpu', 'temperature.gpu', 'compute_cap']
      const [gpu] = readGpus(row(Object.fromEntries(fields.map((field) => [field, cell]))))
      expect(gpu).toMatchObject({ memoryTotalBytes: 23_034 * MIB, computeCapability: '' })
      for (const key of ['memoryFreeBytes', 'utilizationPercent', 'temperatureC'])
        expect(gpu).not.toHaveProperty(key)
    },
  )

  it('sees a GPU that has no memory of its own, as on GB10 and Jetson', () => {
    const shared = { 'memory.total': '[N/A]', 'memory.free': '[N/A]' }
    const [gpu] = readGpus(row(shared))
    expect(gpu).toMatchObject({ sharesHostMemory: true })
    expect(gpu).not.toHaveProperty('memoryTotalBytes')
    expect(readGpus(row({ 'memory.total': '[Unknown Error]' }))[0]!.sharesHostMemory).toBe(false)
  })

  it('keeps free within total, refuses a total that no GPU has, and cuts a long name', () => {
    expect(readGpus(row({ 'memory.free': '99999' }))[0]!.memoryFreeBytes).toBe(23_034 * MIB)
    expect(readGpus(row({ 'memory.total': '17592186044416' }))[0]).not.toHaveProperty(
      'memoryTotalBytes',
    )
    expect(readGpus(row({ name: 'x'.repeat(9_999) }))[0]!.name).toHaveLength(256)
  })

  it('passes over lines that are no rows', () => {
    const text = `Warning: something, else\n${row()}\nUnable to determine the device handle`
    expect(readGpus(text)).toHaveLength(1)
    expect(readGpus(row({ uuid: '[N/A]' }))).toEqual([])
    expect(readGpus(fixture('table_gb10_580.82.09.txt'))).toEqual([])
  })
})

describe('the health of a GPU', () => {
  it.each([
    [{ 'memory.free': '[GPU requires reset]' }, 'needs_reset'],
    [{ gpu_recovery_action: 'Reset' }, 'needs_reset'],
    [{ gpu_recovery_action: 'Reboot' }, 'needs_reboot'],
    [{ 'temperature.gpu': 'ERR!' }, 'device_lost'],
    [{ 'memory.total': '[Unknown Error]' }, 'device_lost'],
    [{ 'temperature.gpu': '[GPU is lost]' }, 'device_lost'],
    [
      { 'ecc.errors.uncorrected.volatile.total': '2', gpu_recovery_action: '[N/A]' },
      'memory_error',
    ],
  ])('[001-GPM-4, 002-26c2] %j is a fault that says what to do', (cells, kind) => {
    const { fault } = readGpus(row(cells))[0]!
    expect(fault?.kind).toBe(kind)
    expect(fault?.message).toMatch(/reset|[Rr]eboot/)
  })

  it("trusts the driver's word that nothing is to be done about a contained memory error", () => {
    const cells = { 'ecc.errors.uncorrected.volatile.total': '2', gpu_recovery_action: 'None' }
    expect(readGpus(row(cells))[0]).not.toHaveProperty('fault')
  })
})

it.each([
  ['00000000:2B:00.0', '0000:2b:00'],
  ['0000:9b:00', '0000:9b:00'],
  ['the device handle for GPU0000:91:00.0: Unknown Error', '0000:91:00'],
  ['for GPU 0000:91:00.0: GPU is lost', '0000:91:00'],
  ['[N/A]', undefined],
])('the bus id of %j is %s', (text, id) => {
  expect(readBusId(text)).toBe(id)
})
