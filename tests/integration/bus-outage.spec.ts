import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { FleetService, Freshness, LeaseOutcome } from '@berth/contract'
import { createClient } from '@berth/rpc'
import { startCoreProcess, until, type CoreProcess } from './src/core-process.ts'
import { readyPool, startFakeAgent, type FakeAgent } from '@berth/test-support/fake-agent'
import { openSession } from './src/gateway-session.ts'

let nats: NatsServer
let core: CoreProcess
let living: FakeAgent
let doomed: FakeAgent

/** Ages short enough to see a host grow old in a spec; agents say every second that they live. */
const AGES = ['--snapshot-stale-ms', '3000', '--snapshot-offline-ms', '8000']

const hostsOf = async (address: string) => {
  using fleet = createClient(FleetService, { address, defaultDeadlineMs: 5_000 })
  return new Map((await fleet.listHosts({})).hosts.map((host) => [host.hostId, host]))
}
const poolsOf = async (address: string) => {
  using fleet = createClient(FleetService, { address, defaultDeadlineMs: 5_000 })
  const { pools } = await fleet.listPools({})
  return new Map(pools.map((pool) => [pool.pool?.poolId, pool]))
}
const statusOf = async (address: string) => {
  using fleet = createClient(FleetService, { address, defaultDeadlineMs: 5_000 })
  return await fleet.getFleetStatus({})
}
const readyz = async ({ httpPort }: CoreProcess) =>
  (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).json() as Promise<{ nats: string }>

const whenPoolServes = (poolId: string) =>
  until(`${poolId} takes jobs`, async () =>
    (await poolsOf(core.address)).get(poolId)?.ineligibleReason === '' ? true : undefined,
  )
const whenBusIs = (state: string) =>
  until(`core sees the bus ${state}`, async () =>
    (await readyz(core)).nats === state ? true : undefined,
  )

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  core = await startCoreProcess(nats.url, ...AGES)
  living = await startFakeAgent(nats.url, 'h1')
  doomed = await startFakeAgent(nats.url, 'h2')
  living.publish(readyPool('p1'))
  doomed.publish(readyPool('p2', { models: [{ modelId: 'doomed', residency: 5 }] }))
  await Promise.all(['p1', 'p2'].map(whenPoolServes))
}, 60_000)

afterAll(async () => {
  await living[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
}, 30_000)

describe('core without its bus', () => {
  it('serves on, asks agents itself, drops one that is gone, and picks up where it was', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-outage' })
    session.acquire('job-before')
    const before = await session.next('assigned')
    await nats.kill()
    await whenBusIs('disconnected')
    await doomed[Symbol.asyncDispose]()

    // Only a probe can bring what an agent could not publish.
    living.publish(readyPool('p1', { slotsTotal: 2 }))
    await until('the second slot is known', async () =>
      (await poolsOf(core.address)).get('p1')?.pool?.slotsTotal === 2 ? true : undefined,
    )
    session.acquire('job-during')
    const during = await session.next('assigned')
    expect(during.poolId).toBe('p1')

    await until('the dead host has left', async () =>
      (await hostsOf(core.address)).has('h2') ? undefined : true,
    )
    expect((await hostsOf(core.address)).get('h1')?.freshness).toBe(Freshness.FRESH)
    session.acquire('job-doomed', { modelId: 'doomed' })
    expect(await session.next('rejected')).toMatchObject({ reason: 'MODEL_NOT_FOUND' })

    await nats.restart()
    await whenBusIs('connected')
    await whenPoolServes('p1')
    for (const { leaseId } of [before, during])
      session.send({ case: 'release', value: { leaseId, outcome: LeaseOutcome.COMPLETED } })
    await until('both leases are back', async () =>
      (await poolsOf(core.address)).get('p1')?.leasesGranted === 0 ? true : undefined,
    )
  }, 60_000)
})

describe('a core that has just started', () => {
  it('believes no stored snapshot that its host lives, and finds an unknown model unknown', async () => {
    await core.kill()
    core = await startCoreProcess(nats.url, ...AGES)
    const hosts = await until('the stored snapshots are read', async () => {
      const found = await hostsOf(core.address)
      return found.has('h1') && found.has('h2') ? found : undefined
    })
    expect(hosts.get('h2')?.freshness).toBe(Freshness.STALE)
    await until('it leads', async () =>
      (await statusOf(core.address)).isLeader ? true : undefined,
    )

    await using session = openSession(core.address, { gatewayId: 'gw-start' })
    session.acquire('job-doomed', { modelId: 'doomed' })
    session.acquire('job-unknown', { modelId: 'unknown' })
    session.acquire('job-known')
    expect((await session.next('assigned')).jobId).toBe('job-known')
    const refused = [await session.next('rejected'), await session.next('rejected')]
    expect(new Map(refused.map(({ jobId, reason }) => [jobId, reason]))).toEqual(
      new Map([
        ['job-unknown', 'MODEL_NOT_FOUND'],
        ['job-doomed', 'MODEL_NOT_FOUND'],
      ]),
    )
  }, 60_000)
})
