import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals'
import { connectBus, subjects } from '@berth/bus'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { PoolState, type DeviceChanged, type Event, type Pool } from '@berth/contract'
import { createSilentLogger } from '@berth/runtime'
import { read, send, startTestAgent, type AgentUnderTest } from './testing/agent-under-test.ts'
import { eventually } from './testing/eventually.ts'
import { gpuTable, gpuUuid, makeFakeGpuTools, type FakeGpuTools } from './testing/fake-gpu-tools.ts'
import { isAlive } from './testing/is-alive.ts'
import { simPool } from './testing/pools-folder.ts'

// Real processes on a machine that may be busy; a fault is seen at the next look.
jest.setTimeout(60_000)

const MIB = 1_048_576
const MISMATCH = 'Failed to initialize NVML: Driver/library version mismatch\n'

let nats: NatsServer
let tools: FakeGpuTools
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
})
afterAll(async () => {
  await nats[Symbol.asyncDispose]()
})
beforeEach(async () => {
  tools = await makeFakeGpuTools()
  await tools.set('gpus.csv', gpuTable({}, { compute_cap: '7.5', 'memory.free': '20000 MiB' }))
})
afterEach(async () => {
  await tools[Symbol.asyncDispose]()
})

const start = (pools: readonly object[], env: Readonly<Record<string, string>> = {}) =>
  startTestAgent(nats.url, pools, {}, { ...env, ...tools.env })
const breakDriver = async () => {
  await tools.set('fail.code', '18')
  await tools.set('fail.txt', MISMATCH)
}

describe('pools on GPUs', () => {
  it('[002-08b, 002-22a] show their engine the devices of their mask, by index or UUID, and no other', async () => {
    const pools = [
      simPool('index', { devices: [1] }),
      simPool('uuid', { devices: [gpuUuid(0)] }),
      simPool('both', { devices: [0, gpuUuid(0).toLowerCase(), 'GPU1'] }),
      simPool('cpu'),
    ]
    await using test = await start(pools, { CUDA_VISIBLE_DEVICES: '7', HIP_VISIBLE_DEVICES: '7' })
    const seen = async (poolId: string) => {
      await test.reaches(poolId, PoolState.READY)
      return (await test.simState(poolId)).device_mask
    }
    const order = { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }
    expect(await seen('index')).toEqual({ CUDA_VISIBLE_DEVICES: gpuUuid(1), ...order })
    expect(await seen('uuid')).toEqual({ CUDA_VISIBLE_DEVICES: gpuUuid(0), ...order })
    expect(await seen('both')).toEqual({
      ...{ CUDA_VISIBLE_DEVICES: `${gpuUuid(0)},${gpuUuid(1)}`, ...order },
    })
    expect(await seen('cpu')).toEqual({ CUDA_VISIBLE_DEVICES: '', HIP_VISIBLE_DEVICES: '-1' })
    expect((await test.status('both')).deviceMask).toEqual(['0', '1'])
  })

  it('[002-01, 002-05b, 002-12b, 002-18b2, 002-S1, 003-AC-031, 003-AC-034, 003-NFR-015, 001-API-10] publish their devices, and memory and capability of their masks', async () => {
    await using test = await start([
      simPool('a', { devices: [0, 1] }),
      simPool('b', { devices: [1], vram_budget_bytes: 1_000 * MIB }),
      simPool('c'),
    ])
    const { host } = await test.client.getHost({})
    expect(host!.devices).toHaveLength(3)
    expect(host!.devices[2]).toMatchObject({
      ...{ deviceId: '1', uuid: gpuUuid(1), name: 'NVIDIA L4', computeCapability: '7.5' },
      memoryTotalBytes: BigInt(23_034 * MIB),
      memoryFreeBytes: BigInt(20_000 * MIB),
      ...{ utilizationPercent: 3, temperatureC: 41, fault: '', driverVersion: '550.90.07' },
    })
    expect(await test.status('a')).toMatchObject({
      vramTotalBytes: BigInt(2 * 23_034 * MIB),
      vramFreeBytes: BigInt(42_000 * MIB),
      computeCapability: '7.5',
    })
    const budgeted = { vramTotalBytes: BigInt(1_000 * MIB), vramFreeBytes: BigInt(1_000 * MIB) }
    expect(await test.status('b')).toMatchObject(budgeted)
    expect((await test.status('c')).vramTotalBytes).toBeUndefined()
    const metrics = (await read(await send(test.agent.httpPort, '/metrics'))).split('\n')
    const expected = [
      `berth_pool_vram_total_bytes{pool_id="a"} ${2 * 23_034 * MIB}`,
      `berth_pool_vram_free_bytes{pool_id="a"} ${42_000 * MIB}`,
      'berth_device_utilization_percent{device="1"} 3',
      'berth_device_temperature_celsius{device="1"} 41',
      `berth_device_memory_total_bytes{device="1"} ${23_034 * MIB}`,
      `berth_device_memory_free_bytes{device="1"} ${20_000 * MIB}`,
      'berth_device_fault{device="1"} 0',
    ]
    expect(expected.filter((line) => !metrics.includes(line))).toEqual([])
    expect(metrics.join()).not.toContain('berth_pool_vram_total_bytes{pool_id="c"}')
  })

  it('[002-22a2] that name wrong devices, or promise more memory than there is, are all named at once', async () => {
    const refused = start([
      simPool('a', { devices: [7, 'GPU-nowhere'] }),
      simPool('b', { devices: [0, 'cpu'] }),
      simPool('c', { devices: [1], vram_budget_bytes: 20_000 * MIB }),
      simPool('d', { devices: [gpuUuid(1)], vram_budget_bytes: 5_000 * MIB }),
      simPool('e', { vram_budget_bytes: 1 }),
    ])
    const message = await refused.then(
      () => 'it started',
      (error: unknown) => (error as Error).message,
    )
    const expected = [
      'has 5 problems',
      'pools[0].devices[0]: this host has no device 7, only cpu, 0, 1',
      'pools[0].devices[1]: this host has no device GPU-nowhere, only cpu, 0, 1',
      'pools[1].devices: nvidia and cpu devices cannot serve one engine',
      'pools[3].vram_budget_bytes: device 1 has',
      'pools[4].vram_budget_bytes: the cpu has no video memory',
    ]
    expect(expected.filter((part) => !message.includes(part))).toEqual([])
  })
})

describe('a driver that breaks under a pool', () => {
  it('[002-26c, 002-26c2, 001-GPM-4] makes it unready with what to do, tells the fleet, and harms no stream; then it recovers', async () => {
    const told: DeviceChanged[] = []
    await using bus = await connectBus({ url: nats.url, name: 'spec', log: createSilentLogger() })
    bus.subscribe(subjects.allEvents, ({ kind }: Event) => {
      if (kind.case === 'deviceChanged') told.push(kind.value)
    })
    await using test = await start([simPool('gpu', { devices: [1] }), simPool('cpu')])
    const before = await test.reaches('gpu', PoolState.READY)
    await test.reaches('cpu', PoolState.READY)
    await breakDriver()
    const broken = await test.reaches('gpu', PoolState.DRAINING)
    expect(broken).toMatchObject({ ready: false, pid: before.pid, restartCount: 0 })
    expect(broken.lastError).toMatch(/^Device 1 .*different versions.*modprobe nvidia/)
    expect(await test.status('cpu')).toMatchObject({ ready: true })
    await eventually('the fleet is told', () =>
      told.some(
        ({ faultKind, poolIds }) => faultKind === 'driver_mismatch' && poolIds[0] === 'gpu',
      ),
    )
    const { host } = await test.client.getHost({})
    expect(host!.devices[2]!.fault).toContain('modprobe nvidia')
    await tools.set('fail.txt', undefined)
    const after = await test.reaches('gpu', PoolState.READY)
    expect(after).toMatchObject({ ready: true, pid: before.pid, lastError: '' })
    await eventually('the fleet is told that it is over', () =>
      told.some(({ uuid, fault }) => uuid === gpuUuid(1) && fault === ''),
    )
  })

  it('[002-26c2] before the agent starts lets it start, with the pool waiting for its device', async () => {
    await breakDriver()
    await using test = await start([simPool('gpu', { devices: [gpuUuid(1)] }), simPool('cpu')])
    const failed = await test.reaches('gpu', PoolState.FAILED)
    expect(failed.lastError).toContain('modprobe nvidia')
    await test.reaches('cpu', PoolState.READY)
    await tools.set('fail.txt', undefined)
    await test.reaches('gpu', PoolState.READY)
    expect((await test.simState('gpu')).device_mask).toMatchObject({
      CUDA_VISIBLE_DEVICES: gpuUuid(1),
    })
  })
})

describe('starts on one GPU', () => {
  /** When an engine process ran that was not ready yet. */
  const startOf = ({ transitions }: Pool) => {
    const at = (state: PoolState) => Number(transitions.find(({ to }) => to === state)!.atMs)
    return { from: at(PoolState.STARTING), to: at(PoolState.READY) }
  }
  const allReady = (test: AgentUnderTest, ids: readonly string[]) =>
    Promise.all(ids.map((id) => test.reaches(id, PoolState.READY)))

  it('go one after the other, in the order of the file, while others go on', async () => {
    const slow = { load_ms: 600 }
    await using test = await start([
      ...['a', 'b', 'c'].map((id) => simPool(id, { devices: [0] }, slow)),
      simPool('other', { devices: [1] }, slow),
      simPool('cpu', {}, slow),
    ])
    const [a, b, c, other, cpu] = (await allReady(test, ['a', 'b', 'c', 'other', 'cpu'])).map(
      startOf,
    )
    // Times are told in whole milliseconds, each rounded by itself.
    expect(b!.from).toBeGreaterThanOrEqual(a!.to - 2)
    expect(c!.from).toBeGreaterThanOrEqual(b!.to - 2)
    expect(other!.from).toBeLessThan(a!.to)
    expect(cpu!.from).toBeLessThan(a!.to)
  })

  it('let the next one in when one fails, and when one is stopped that waits or loads', async () => {
    const endless = { load_ms: 600_000 }
    await using test = await start([
      simPool('bad', { devices: [0], lifecycle: { binary_path: '/nowhere/engine' } }),
      simPool('loads', { devices: [0] }, endless),
      simPool('waits', { devices: [0, 1] }, endless),
      simPool('last', { devices: [0] }),
    ])
    await test.reaches('bad', PoolState.FAILED)
    await test.reaches('loads', PoolState.STARTING)
    expect((await test.status('waits')).state).toBe(PoolState.PREPARING)
    await test.client.stop({ poolId: 'waits' })
    await test.reaches('waits', PoolState.STOPPED)
    expect((await test.status('last')).state).toBe(PoolState.PREPARING)
    await test.client.stop({ poolId: 'loads' })
    await test.reaches('last', PoolState.READY)
    const { deviceMask } = await test.status('last')
    expect(deviceMask).toEqual(['0'])
  })
})

it('[002-10a, 001-API-4] an engine is gone when the GPU shows none of its memory, not before', async () => {
  await using test = await start([
    simPool('a', { devices: [0], lifecycle: { shutdown_grace_s: 0.3 } }, { orphan: true }),
  ])
  const { pid } = await test.reaches('a', PoolState.READY)
  const { orphan_pid: orphan } = await test.simState('a')
  await tools.set('apps.csv', `${gpuUuid(0)}, ${orphan}, 512\n${gpuUuid(1)}, 1, 512\n`)
  const isAsked = async () => (await tools.calls()).filter((line) => line.includes('apps')).length
  await test.client.stop({ poolId: 'a' })
  await eventually('the GPU was asked twice', async () => (await isAsked()) > 1)
  expect(isAlive(pid)).toBe(false)
  expect((await test.status('a')).state).toBe(PoolState.STOPPING)
  await tools.set('apps.csv', `${gpuUuid(1)}, 1, 512\n`)
  await test.reaches('a', PoolState.STOPPED)
})

it('[001-GPM-5] a tool that hangs leaves pools alone and never runs twice', async () => {
  await using test = await start([simPool('a', { devices: [0] })])
  await test.reaches('a', PoolState.READY)
  const before = (await tools.calls()).length
  await tools.set('hang', '')
  await eventually('it was asked again and hung', async () => (await tools.calls()).length > before)
  expect(await test.status('a')).toMatchObject({ ready: true })
  expect(await tools.mostAtOnce()).toBe(1)
})
