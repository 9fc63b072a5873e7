import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { gpuTable, gpuUuid, makeFakeGpuTools } from '../testing/fake-gpu-tools.ts'
import { createDevices } from './devices.ts'
import { createToolRunner, type RunTool, type ToolOutcome } from './run-tool.ts'

const FIXTURES = new URL('../../../../engines/devices/fixtures/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8')
const LOOK_MS = 5_000
const LOST =
  'Unable to determine the device handle for GPU 0000:81:00.0: GPU is lost.  Reboot the system\n'

/** Devices over tools that answer what a test says, on a clock the test moves. */
const createRig = (answer: RunTool, kernel: string[] = []) => {
  const clock = createSimClock()
  const asked: string[] = []
  const kernelLog = {
    read: () => Promise.resolve(kernel.splice(0)),
    [Symbol.dispose]: () => undefined,
  }
  const run: RunTool = (file, args) => {
    asked.push([file, ...args].join(' '))
    return answer(file, args)
  }
  const hostMemory = () => ({ totalBytes: 64e9, freeBytes: 10e9 + clock.now() })
  const devices = createDevices({ clock, run, cpuName: 'Some CPU', hostMemory, kernelLog })
  return { clock, devices, asked, kernel }
}

const answered = (out: string, code = 0): ToolOutcome => ({
  ...{ kind: 'answered', code, out, text: out },
})
/** What the columns our query has print of the rows of a table. */
const rows = (table: string, args: readonly string[]): string => {
  const [head = '', ...lines] = table.split('\n')
  const columns = head.split(', ')
  const wanted = args[0]!.replace('--query-gpu=', '').split(',')
  const ids = args.find((arg) => arg.startsWith('--id='))?.slice(5)
  return lines
    .map((line) => line.split(', '))
    .filter((cells) => ids === undefined || ids.includes(cells[1]!))
    .map((cells) =>
      wanted.map((field) => cells[columns.indexOf(field)]!.replace(/ (MiB|%)$/, '')).join(', '),
    )
    .join('\n')
}
const nvidia =
  (table: () => string): RunTool =>
  (file, args) =>
    Promise.resolve(
      file === 'nvidia-smi' ? answered(rows(table(), args)) : { kind: 'missing' as const },
    )
const two = gpuTable({}, {})
const faults = ({ devices }: ReturnType<typeof createRig>) =>
  devices.found.map(({ fault }) => fault?.kind)

describe('a host', () => {
  it('[001-GPM-5] without tools has its processor, whose free memory is read anew', async () => {
    const rig = createRig(() => Promise.resolve({ kind: 'missing' }))
    await rig.devices.look()
    const [cpu, ...others] = rig.devices.found
    expect(others).toEqual([])
    expect(cpu).toMatchObject({ deviceId: 'cpu', memoryTotalBytes: 64e9, memoryFreeBytes: 10e9 })
    await rig.clock.advance(LOOK_MS)
    expect(rig.devices.found[0]!.memoryFreeBytes).toBe(10e9 + LOOK_MS)
  })

  it('is looked at every 5 s with one question, and seldom through tools it does not have', async () => {
    const rig = createRig(nvidia(() => two))
    await rig.devices.look()
    await rig.clock.advance(12 * LOOK_MS - 1)
    const of = (tool: string) => rig.asked.filter((line) => line.startsWith(tool)).length
    expect({ nvidia: of('nvidia-smi'), amd: of('rocm-smi') }).toEqual({ nvidia: 12, amd: 1 })
    await rig.clock.advance(LOOK_MS)
    expect(of('rocm-smi')).toBe(2)
    rig.devices[Symbol.dispose]()
    expect(rig.clock.pending()).toBe(0)
  })

  it('is looked at once, however many ask', async () => {
    const rig = createRig(nvidia(() => two))
    await Promise.all([rig.devices.look(), rig.devices.look(), rig.devices.look()])
    expect(rig.asked.filter((line) => line.startsWith('nvidia-smi'))).toHaveLength(1)
  })

  it('[003-NFR-018] may have AMD cards, told apart from NVIDIA ones by id', async () => {
    const amd = fixture('rx7800xt_rocm6.2.4.json')
    const rig = createRig((file, args) =>
      Promise.resolve(answered(file === 'rocm-smi' ? amd : rows(two, args))),
    )
    await rig.devices.look()
    expect(rig.devices.found.map(({ deviceId, kind }) => [deviceId, kind])).toEqual([
      ['cpu', 'cpu'],
      ['0', 'nvidia'],
      ['1', 'nvidia'],
      ['GPU-5c88007d760374f3', 'amd'],
    ])
  })

  it('whose driver does not know some fields is asked without them, from then on', async () => {
    const unknown = ['compute_cap', 'gpu_recovery_action']
    const rig = createRig((file, args) => {
      const field = unknown.find((name) => args[0]!.includes(name))
      if (file !== 'nvidia-smi') return Promise.resolve({ kind: 'missing' })
      return Promise.resolve(
        field === undefined
          ? answered(rows(two, args))
          : answered(`Field "${field}" is not a valid field to query.\n`, 2),
      )
    })
    await rig.devices.look()
    expect(rig.devices.found[1]).toMatchObject({ computeCapability: '', temperatureC: 41 })
    const first = rig.asked.length
    await rig.clock.advance(LOOK_MS)
    expect(rig.asked.slice(first)).toHaveLength(1)
  })

  it('[002-05c] in MIG mode has its slices, with their memory, asked for only then', async () => {
    const table = gpuTable({
      'mig.mode.current': 'Enabled',
      uuid: 'GPU-513536b6-7d19-9c63-b049-1e69664bb298',
    })
    const xml = fixture('qx_a100-sxm4-mig_535.54.03.xml')
    const [, uuid = ''] = /<uuid>(GPU-[^<]*)<\/uuid>/.exec(xml)!
    const list =
      `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${uuid})\n` +
      '  MIG 1g.20gb     Device  0: (UUID: MIG-a)\n  MIG 1g.20gb     Device  1: (UUID: MIG-b)\n'
    const rig = createRig((file, args) => {
      if (file !== 'nvidia-smi') return Promise.resolve({ kind: 'missing' })
      const own = table.replace('GPU-513536b6-7d19-9c63-b049-1e69664bb298', uuid)
      if (args[0] === '-L') return Promise.resolve(answered(list))
      return Promise.resolve(answered(args[0] === '-q' ? xml : rows(own, args)))
    })
    await rig.devices.look()
    expect(rig.devices.found.slice(1)).toEqual([
      expect.objectContaining({ deviceId: '0', isPartitioned: true }),
      expect.objectContaining({
        ...{ deviceId: '0:0', uuid: 'MIG-a', memoryTotalBytes: 19_968 * 1_048_576 },
      }),
      expect.objectContaining({ deviceId: '0:1', uuid: 'MIG-b' }),
    ])
    expect(rig.devices.resolve(['MIG-b'])).toMatchObject({ problems: [] })
  })
})

describe('a GPU', () => {
  it('keeps its id when another one falls off the bus and the driver counts anew', async () => {
    let table = gpuTable({}, {}, {})
    const rig = createRig(nvidia(() => table))
    await rig.devices.look()
    table = gpuTable({}, { uuid: gpuUuid(2), 'pci.bus_id': '00000000:82:00.0' })
    await rig.clock.advance(LOOK_MS)
    expect(
      rig.devices.found.map(({ deviceId, uuid, fault }) => [deviceId, uuid, fault?.kind]),
    ).toEqual([
      ['cpu', 'cpu', undefined],
      ['0', gpuUuid(0), undefined],
      ['1', gpuUuid(1), 'device_lost'],
      ['2', gpuUuid(2), undefined],
    ])
  })

  it('[001-GPM-4] that is lost takes only itself out, and comes back when it is there again', async () => {
    let isLost = false
    const rig = createRig((file, args) => {
      if (file !== 'nvidia-smi') return Promise.resolve({ kind: 'missing' })
      const isNamed = args.some((arg) => arg.startsWith('--id='))
      return Promise.resolve(isLost && !isNamed ? answered(LOST, 15) : answered(rows(two, args)))
    })
    await rig.devices.look()
    isLost = true
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, undefined, 'device_lost'])
    expect(rig.asked.at(-1)).toContain(`--id=${gpuUuid(0)}`)
    expect(rig.devices.faultOf(['0'])).toBeUndefined()
    expect(rig.devices.faultOf(['0', '1'])).toMatch(/^Device 1 \(GPU-.*Reboot the host/)
    isLost = false
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, undefined, undefined])
  })

  it('[001-GPM-4, 002-26c2] with an Xid in the kernel log is out, unless its driver says itself', async () => {
    const own = (action: string) => gpuTable({ gpu_recovery_action: action })
    const xid = ['6,1,1,-;NVRM: Xid (PCI:0000:80:00): 119, pid=1, Timeout after 6s']
    const silent = createRig(
      nvidia(() => own('[N/A]')),
      [...xid],
    )
    await silent.devices.look()
    expect(faults(silent)).toEqual([undefined, 'xid'])
    await silent.clock.advance(890_000)
    expect(faults(silent)).toEqual([undefined, 'xid'])
    await silent.clock.advance(20_000)
    expect(faults(silent)).toEqual([undefined, undefined])
    const speaking = createRig(
      nvidia(() => own('None')),
      [...xid],
    )
    await speaking.devices.look()
    expect(faults(speaking)).toEqual([undefined, undefined])
  })
})

describe('a driver', () => {
  const MISMATCH = 'Failed to initialize NVML: Driver/library version mismatch\n'

  it('[002-26c, 002-26c2] that breaks takes every GPU out, until it works again', async () => {
    let isBroken = false
    const rig = createRig((file, args) => {
      if (file !== 'nvidia-smi') return Promise.resolve({ kind: 'missing' })
      return Promise.resolve(isBroken ? answered(MISMATCH, 18) : answered(rows(two, args)))
    })
    await rig.devices.look()
    isBroken = true
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, 'driver_mismatch', 'driver_mismatch'])
    expect(rig.devices.faultOf(['cpu'])).toBeUndefined()
    expect(rig.devices.faultOf(['1'])).toContain('modprobe nvidia')
    isBroken = false
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, undefined, undefined])
  })

  it('that is broken from the start leaves masks open: they are faults, not mistakes', async () => {
    const rig = createRig((file) =>
      Promise.resolve(file === 'nvidia-smi' ? answered(MISMATCH, 18) : { kind: 'missing' }),
    )
    await rig.devices.look()
    expect(rig.devices.isIncomplete).toBe(true)
    expect(rig.devices.resolve(['0'])).toEqual({ devices: [], unknown: ['0'], problems: [] })
    expect(rig.devices.faultOf(['0'])).toMatch(/^Devices 0: The NVIDIA driver/)
    expect(rig.devices.faultOf(['cpu'])).toBeUndefined()
  })

  it('[001-GPM-5] whose tool hangs is believed broken the third time, not before', async () => {
    let isHung = false
    const rig = createRig((file, args) => {
      if (file !== 'nvidia-smi') return Promise.resolve({ kind: 'missing' })
      return Promise.resolve(isHung ? { kind: 'silent' } : answered(rows(two, args)))
    })
    await rig.devices.look()
    isHung = true
    await rig.clock.advance(2 * LOOK_MS)
    expect(faults(rig)).toEqual([undefined, undefined, undefined])
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, 'tool_hung', 'tool_hung'])
    isHung = false
    await rig.clock.advance(LOOK_MS)
    expect(faults(rig)).toEqual([undefined, undefined, undefined])
  })

  it('without devices is no fault', async () => {
    const rig = createRig((file) =>
      Promise.resolve(
        file === 'nvidia-smi' ? answered('No devices were found\n', 6) : { kind: 'missing' },
      ),
    )
    await rig.devices.look()
    expect(rig.devices.isIncomplete).toBe(false)
    expect(rig.devices.resolve(['0']).problems).toEqual([
      '[0]: this host has no device 0, only cpu',
    ])
  })
})

it('processes on the GPUs are not asked for while the tool hangs', async () => {
  const rig = createRig(() => Promise.resolve({ kind: 'silent' }))
  await rig.devices.look()
  const before = rig.asked.length
  expect(await rig.devices.processes()).toBeUndefined()
  expect(rig.asked).toHaveLength(before)
})

it('processes on the GPUs are asked for when somebody wants to know, once for all who do', async () => {
  await using tools = await makeFakeGpuTools()
  await tools.set('gpus.csv', two)
  await tools.set('apps.csv', `${gpuUuid(0)}, 4711, 512\n`)
  using runner = createToolRunner({ clock: createSimClock(), env: tools.env })
  const rig = createRig(runner.run)
  const asked = await Promise.all([rig.devices.processes(), rig.devices.processes()])
  const expected = [{ gpuUuid: gpuUuid(0), pid: 4_711, memoryBytes: 512 * 1_048_576 }]
  expect(asked).toEqual([expected, expected])
  expect(await tools.calls()).toHaveLength(1)
})
