import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startNatsServer, type NatsServer } from '@berth/bus/testing'
import { FleetService, LeaseOutcome, SchedulerService } from '@berth/contract'
import { readLeaseToken } from '@berth/lease'
import { createClient } from '@berth/rpc'
import { startCoreProcess, until, type CoreProcess } from './src/core-process.ts'
import { readyPool, startFakeAgent, type FakeAgent } from '@berth/test-support/fake-agent'
import { openSession } from './src/gateway-session.ts'

const { COMPLETED } = LeaseOutcome
let nats: NatsServer
let core: CoreProcess
let agent: FakeAgent

const fleetOf = (address: string) =>
  createClient(FleetService, { address, defaultDeadlineMs: 5_000 })

const whenPoolServes = (address: string, poolId: string) =>
  until(`pool ${poolId} takes jobs`, async () => {
    using fleet = fleetOf(address)
    const { pools } = await fleet.listPools({})
    const found = pools.find(({ pool }) => pool?.poolId === poolId)
    return found?.ineligibleReason === '' ? found : undefined
  })

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true })
  core = await startCoreProcess(nats.url)
  agent = await startFakeAgent(nats.url, 'h1')
  agent.publish(readyPool('p1'))
  await whenPoolServes(core.address, 'p1')
}, 60_000)

afterAll(async () => {
  await agent[Symbol.asyncDispose]()
  await core[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
}, 30_000)

describe('a gateway and the leading core', () => {
  it('[004-26a] gets a lease whose token the agent can read with the key core gave it', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-token' })
    expect(await session.next('welcome')).toMatchObject({ leaseTtlMs: 15_000 })
    session.acquire('job-token')
    const { token, leaseId, epoch, term, ...assigned } = await session.next('assigned')
    expect(assigned).toMatchObject({ poolId: 'p1', instanceId: 'p1-1', ingressAddress: 'h1:7081' })
    expect(readLeaseToken(agent.keys, token)).toMatchObject({
      ok: true,
      claims: {
        ...{ leaseId, hostId: 'h1', poolId: 'p1', modelId: 'm' },
        ...{ epoch: Number(epoch), term: Number(term) },
      },
    })
    session.send({ case: 'release', value: { leaseId, outcome: COMPLETED } })
  }, 30_000)

  it('queues a second job, and gives it the slot that is released', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-queue' })
    session.acquire('job-q1')
    const { leaseId } = await session.next('assigned')
    session.acquire('job-q2')
    expect(await session.next('queued')).toMatchObject({ jobId: 'job-q2', position: 1 })
    session.send({ case: 'release', value: { leaseId, outcome: COMPLETED } })
    const second = await session.next('assigned')
    expect(second.jobId).toBe('job-q2')
    session.send({ case: 'release', value: { leaseId: second.leaseId, outcome: COMPLETED } })
  }, 30_000)

  it('refuses an unknown model, expires a wait, and never dispatches what was cancelled', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-ends' })
    session.acquire('job-404', { modelId: 'nobody-has-it' })
    expect(await session.next('rejected')).toMatchObject({ reason: 'MODEL_NOT_FOUND' })
    session.acquire('job-held')
    const { leaseId } = await session.next('assigned')
    session.acquire('job-cancelled')
    session.acquire('job-late', { maxWaitMs: 300 })
    session.send({ case: 'cancel', value: { jobId: 'job-cancelled' } })
    expect(await session.next('rejected')).toMatchObject({
      jobId: 'job-late',
      reason: 'QUEUE_TIMEOUT',
    })
    session.send({ case: 'release', value: { leaseId, outcome: COMPLETED } })
    session.acquire('job-after')
    const after = await session.next('assigned')
    expect(after.jobId).toBe('job-after')
    session.send({ case: 'release', value: { leaseId: after.leaseId, outcome: COMPLETED } })
  }, 30_000)

  it('refuses a job that makes no sense, and the session lives on', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-junk' })
    await session.next('welcome')
    session.send({ case: 'acquire', value: { jobId: 'job-junk' } })
    expect(await session.next('rejected')).toMatchObject({ reason: 'INVALID_PARAMS' })
    await session.next('heartbeat')
  }, 30_000)

  it('ends a stream that does not begin with Hello', async () => {
    const client = createClient(SchedulerService, {
      address: core.address,
      defaultDeadlineMs: 5_000,
    })
    const stream = client.session()
    stream.send({ frames: [{ frame: { case: 'heartbeat', value: {} } }] })
    const read = async () => {
      for await (const _ of stream.messages);
    }
    await expect(read()).rejects.toMatchObject({ reason: 'INVALID_PARAMS' })
    client[Symbol.dispose]()
  }, 30_000)

  it('keeps the lease of a gateway that reconnects and declares it', async () => {
    const first = openSession(core.address, { gatewayId: 'gw-back' })
    first.acquire('job-back')
    const { leaseId, poolId, epoch, term } = await first.next('assigned')
    first.lose()
    const live = { leaseId, jobId: 'job-back', poolId, modelId: 'm', epoch, term }
    await using second = openSession(core.address, {
      ...{ gatewayId: 'gw-back', session: 2n, liveLeases: [live] },
    })
    expect(await second.next('welcome')).toMatchObject({ revokedLeaseIds: [] })
    using fleet = fleetOf(core.address)
    expect((await fleet.getPool({ poolId: 'p1' })).pool?.leasesGranted).toBe(1)
    second.send({ case: 'release', value: { leaseId, outcome: COMPLETED } })
    await until('the slot is free', async () => {
      const { pool } = await fleet.getPool({ poolId: 'p1' })
      return pool?.leasesGranted === 0 ? true : undefined
    })
  }, 30_000)

  it('reclaims the lease of a gateway that does not come back', async () => {
    const lost = openSession(core.address, { gatewayId: 'gw-lost' })
    lost.acquire('job-lost')
    await lost.next('assigned')
    await using session = openSession(core.address, { gatewayId: 'gw-waits' })
    session.acquire('job-waits')
    await session.next('queued')
    lost.lose()
    using fleet = fleetOf(core.address)
    // The lease lives on for its TTL of 15 s.
    expect((await fleet.getPool({ poolId: 'p1' })).pool?.leasesGranted).toBe(1)
    const assigned = await session.next('assigned').catch(() => session.next('assigned'))
    expect(assigned.jobId).toBe('job-waits')
    session.send({ case: 'release', value: { leaseId: assigned.leaseId, outcome: COMPLETED } })
  }, 40_000)

  it('revokes a lease when its instance is gone', async () => {
    await using session = openSession(core.address, { gatewayId: 'gw-revoked' })
    session.acquire('job-revoked')
    const { leaseId } = await session.next('assigned')
    agent.publish(readyPool('p1', { instanceId: 'p1-2' }))
    expect(await session.next('revoked')).toMatchObject({ leaseId, reason: 'WORKER_RESET' })
  }, 30_000)

  it('explains where a job would go, lists the fleet, and shows its series', async () => {
    using scheduler = createClient(SchedulerService, {
      ...{ address: core.address, defaultDeadlineMs: 5_000 },
    })
    const job = { modelId: 'm', route: '/v1/chat/completions' }
    expect(await scheduler.explain({ job })).toMatchObject({
      decision: 'assigned',
      poolId: 'p1',
      candidates: [{ poolId: 'p1', feasible: true, rank: 1 }],
    })
    using fleet = fleetOf(core.address)
    expect((await fleet.listModels({})).models).toMatchObject([{ modelId: 'm', residency: 5 }])
    expect((await fleet.listHosts({})).hosts).toMatchObject([{ hostId: 'h1', poolIds: ['p1'] }])
    expect(await fleet.getFleetStatus({})).toMatchObject({ isLeader: true, poolsReady: 1 })
    await expect(fleet.getPool({ poolId: 'p9' })).rejects.toMatchObject({
      reason: 'POOL_NOT_FOUND',
    })
    const metrics = await (await fetch(`http://127.0.0.1:${core.httpPort}/metrics`)).text()
    expect(metrics).toMatch(/berth_job_outcome_total\{outcome="expired".*\} 1/)
    expect(metrics).toMatch(/queue_depth\{engine="unassigned".*priority="interactive".*\} 0/)
  }, 30_000)
})

describe('two cores', () => {
  it('the second sends gateways to the first, and takes over with its leases when it is killed', async () => {
    await using standby = await startCoreProcess(nats.url)
    await using turnedAway = openSession(standby.address, { gatewayId: 'gw-two' })
    expect(await turnedAway.next('notLeader')).toMatchObject({ address: core.address })
    await turnedAway.ended

    await using before = openSession(core.address, { gatewayId: 'gw-two' })
    before.acquire('job-two')
    const { leaseId, poolId, epoch, term } = await before.next('assigned')
    const keysBefore = agent.keys.length
    await core.kill()

    using standbyFleet = fleetOf(standby.address)
    await until('the standby leads', async () => {
      const status = await standbyFleet.getFleetStatus({})
      return status.isLeader ? status : undefined
    })
    const live = { leaseId, jobId: 'job-two', poolId, modelId: 'm', epoch, term }
    await using after = openSession(standby.address, {
      ...{ gatewayId: 'gw-two', session: 2n, term, liveLeases: [live] },
    })
    const welcome = await after.next('welcome')
    expect(welcome.revokedLeaseIds).toEqual([])
    expect(welcome.term).toBeGreaterThan(term)
    after.acquire('job-three')
    await after.next('queued')
    after.send({ case: 'release', value: { leaseId, outcome: COMPLETED } })
    const assigned = await after.next('assigned')
    expect(agent.keys.length).toBeGreaterThan(keysBefore)
    expect(readLeaseToken(agent.keys.slice(0, 1), assigned.token)).toMatchObject({ ok: true })
  }, 60_000)
})
