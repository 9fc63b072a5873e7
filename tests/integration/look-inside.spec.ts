import { kill } from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'
import { readBus } from './src/bus-reader.ts'
import { explore } from './src/reflection.ts'

let fleet: Fleet
beforeAll(async () => {
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [await simPool('one')] }] })
}, 60_000)
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
}, 60_000)

const grpcAddressOf = (ports: Readonly<Record<string, number>>) => `127.0.0.1:${ports['grpcPort']}`

interface Listed {
  readonly lastHeartbeatMs: number
  readonly pool: { readonly engineVersion: string }
}

const GRPC_OWN = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
]

describe('the gRPC reflection of a running fleet', () => {
  it('lists the services of core', async () => {
    using core = explore(grpcAddressOf(fleet.core.ports))
    expect(await core.listServices()).toEqual([
      'berth.v1.CatalogService',
      'berth.v1.FleetService',
      'berth.v1.SchedulerService',
      ...GRPC_OWN,
    ])
  })

  it('lists the services of the agent', async () => {
    using agent = explore(grpcAddressOf(fleet.agent('h1').ports))
    expect(await agent.listServices()).toEqual(['berth.v1.PoolManagerService', ...GRPC_OWN])
  })

  it('[002-12a] tells of each pool what core has registered, and when its host was last heard of', async () => {
    using core = explore(grpcAddressOf(fleet.core.ports))
    const listPools = (await core.describe('berth.v1.FleetService')).getService(
      'berth.v1.FleetService',
    )!.method['listPools']!
    const found = await until('the age of a heartbeat and the version', async () => {
      const { pools } = (await core.call(listPools)) as { readonly pools: readonly Listed[] }
      return pools.find((each) => each.lastHeartbeatMs > 0 && each.pool.engineVersion !== '')
    })
    expect(found).toMatchObject({
      pool: { live: true, ready: true, lastError: '', activeLeases: 0 },
    })
    const ages: number[] = []
    await until('a heartbeat makes it young again', async () => {
      const { pools } = (await core.call(listPools)) as { readonly pools: readonly Listed[] }
      ages.push(pools[0]!.lastHeartbeatMs)
      return ages.some((age, at) => age < (ages[at - 1] ?? 0))
    })
  })

  it('describes a service well enough to call it knowing nothing else', async () => {
    using core = explore(grpcAddressOf(fleet.core.ports))
    const described = await core.describe('berth.v1.FleetService')
    const answer = await core.call(
      described.getService('berth.v1.FleetService')!.method['listPools']!,
    )
    expect(answer['pools']).toMatchObject([{ pool: { poolId: 'one', engine: 'sim' } }])
  })
})

describe('subscribing to berth.v1.> with any NATS client', () => {
  it('shows snapshots, heartbeats and events that their content type tells how to decode', async () => {
    await using bus = await readBus(fleet.nats.url, 'berth.v1.>')
    const of = (type: string) => {
      expect(bus.problems).toEqual([])
      return bus.messages.filter((each) => each.type === type)
    }
    kill((await fleet.sim('one').state()).pid, 'SIGKILL')

    const exited = await until('the exit of the engine is told', () =>
      of('berth.v1.Event').find(({ subject }) => subject === 'berth.v1.event.instance_exited.h1'),
    )
    expect(exited.message).toMatchObject({
      hostId: 'h1',
      kind: { case: 'instanceExited', value: { poolId: 'one', signal: 'SIGKILL' } },
    })
    const snapshot = await until('a snapshot', () => of('berth.v1.HostSnapshot').at(-1))
    expect(snapshot).toMatchObject({
      subject: 'berth.v1.host.h1.snapshot',
      message: { hostId: 'h1', pools: [{ poolId: 'one' }] },
    })
    const heartbeat = await until('a heartbeat', () => of('berth.v1.HostHeartbeat').at(-1))
    expect(heartbeat).toMatchObject({
      subject: 'berth.v1.host.h1.heartbeat',
      message: { hostId: 'h1' },
    })
  }, 60_000)
})
