import { afterEach, describe, expect, it } from '@jest/globals'
import type { JobId, LeaseId, ModelId, PoolId, Reason } from '@berth/kernel'
import type { CorePolicy } from './core-state.ts'
import type { JobSpec } from './job-spec.ts'
import { ask, completed, liveLease, pool } from './testing/rig.ts'
import { createToldRig, type ToldRig } from './testing/told.ts'

const ends: Disposable[] = []
afterEach(() => {
  for (const each of ends.splice(0)) each[Symbol.dispose]()
})

const ON_P1 = 'engine="sim",engine_version="1",pool_id="p1",replica_id="p1"'
const NOWHERE =
  'engine="unassigned",engine_version="unassigned",pool_id="unassigned",replica_id="unassigned"'
const PLACED_P1 = { engine: 'sim', engine_version: '1', pool_id: 'p1', replica_id: 'p1' }
const PLACED_NOWHERE = {
  ...{ engine: 'unassigned', engine_version: 'unassigned' },
  ...{ pool_id: 'unassigned', replica_id: 'unassigned' },
}
const SECRET = 'sk-do-not-log'

/** One host with one pool of one slot, one gateway on session 1; nothing told yet. */
const small = async (policy: Partial<CorePolicy> = {}): Promise<ToldRig> => {
  const told = createToldRig(policy)
  ends.push(told)
  told.rig.joinHost('h1', [pool('p1', { slotsTotal: 1, engine: 'sim', engineVersion: '1' })])
  told.rig.joinGateway(1, 'gw')
  // Jobs of sessions wait until the ledger is read.
  told.rig.settleStore()
  await told.rig.pass(200, 'h1')
  told.rig.settleStore()
  told.rig.take(1)
  await told.gains()
  return told
}
const acquire = ({ rig }: ToldRig, jobId: string, spec: Partial<JobSpec> = {}): LeaseId => {
  rig.coordinator.onAcquire(1, ask(jobId, { sessionId: 's1', ...spec }))
  const signal = rig.take(1).find(({ kind }) => kind === 'assigned')
  return signal?.kind === 'assigned' ? signal.leaseId : ('' as LeaseId)
}
const QUEUE_OF_ONE = { capacity: 1, fullPolicy: 'reject', promoteAfterMs: 300_000 } as const
const refused = (engine: string, reason: string, outcome = 'rejected') => ({
  [`tasks_rejected_total{engine="${engine}",reason="${reason}"}`]: 1,
  [`berth_job_outcome_total{outcome="${outcome}"}`]: 1,
})

describe('a job and its series and lines', () => {
  it('[004-26a2][004-13a2][004-13c] assigned at once, it starts on its pool and waited for nothing', async () => {
    const told = await small()
    const leaseId = acquire(told, 'j1')
    expect(await told.gains()).toEqual({
      'berth_job_outcome_total{outcome="dispatched"}': 1,
      [`tasks_started_total{${ON_P1},priority="interactive"}`]: 1,
      admission_latency_ms_count: 1,
    })
    expect(told.logged('job dispatched')).toEqual([
      expect.objectContaining({
        ...{ job_id: 'j1', session_id: 's1', correlation_id: 'c', model_id: 'm' },
        ...{ ...PLACED_P1, queue_position: 0, predicted_start_ms: 0, queued_ms: 0 },
        ...{ lease_id: leaseId, outcome: 'dispatched', priority: 'interactive' },
      }),
    ])
  })

  it('[004-26a2][004-13a][004-14a] that waits is enqueued nowhere, then starts on a pool', async () => {
    const told = await small()
    const first = acquire(told, 'j1')
    await told.gains()
    acquire(told, 'j2', { jobClass: 'batch' })
    expect(await told.gains()).toEqual({
      [`tasks_enqueued_total{${NOWHERE},priority="batch"}`]: 1,
    })
    const [queued] = told.logged('job queued')
    expect(queued).toMatchObject({
      ...{ job_id: 'j2', session_id: 's1', queue_position: 1, reason: 'NO_CAPACITY' },
      ...PLACED_NOWHERE,
    })
    expect(queued!['predicted_start_ms']).toBeGreaterThan(0)
    await told.rig.pass(400, 'h1')
    told.rig.coordinator.onRelease(1, first, completed)
    expect(await told.gains()).toMatchObject({
      [`tasks_started_total{${ON_P1},priority="batch"}`]: 1,
      admission_latency_ms_count: 1,
      admission_latency_ms_sum: 400,
    })
    expect(told.logged('job dispatched').at(-1)).toMatchObject({
      ...{ job_id: 'j2', ...PLACED_P1, queue_position: 1, queued_ms: 400 },
      predicted_start_ms: queued!['predicted_start_ms'],
    })
  })

  it('[004-26a2][004-13a4] refused by a full queue, it counts as back-pressure of its engine', async () => {
    const told = await small({ admission: QUEUE_OF_ONE })
    acquire(told, 'j1')
    acquire(told, 'j2')
    await told.gains()
    acquire(told, 'j3')
    expect(await told.gains()).toEqual({
      ...refused('sim', 'ADMISSION_REJECT'),
      'admission_backpressure_events_total{engine="sim",policy="reject"}': 1,
    })
    expect(told.logged('job refused')).toEqual([
      expect.objectContaining({ job_id: 'j3', reason: 'ADMISSION_REJECT', engine: 'sim' }),
    ])
  })

  it('[004-26a2][004-13a4] evicted for a newer one, it counts as dropped', async () => {
    const told = await small({ admission: { ...QUEUE_OF_ONE, fullPolicy: 'drop-lru' } })
    acquire(told, 'j1')
    acquire(told, 'old', { jobClass: 'batch' })
    await told.gains()
    acquire(told, 'new', { jobClass: 'batch' })
    expect(await told.gains()).toEqual({
      ...refused('sim', 'QUEUE_FULL_DROP_LRU', 'evicted'),
      'admission_backpressure_events_total{engine="sim",policy="drop-lru"}': 1,
      [`tasks_enqueued_total{${NOWHERE},priority="batch"}`]: 1,
    })
    expect(told.logged('job refused')).toMatchObject([{ job_id: 'old', queue_position: 1 }])
  })

  it('[004-26a2][004-13a3] cancelled while it waits, it was on no pool', async () => {
    const told = await small()
    acquire(told, 'j1')
    acquire(told, 'j2')
    await told.gains()
    told.rig.coordinator.onCancel(1, 'j2' as JobId)
    expect(await told.gains()).toEqual({
      'berth_job_outcome_total{outcome="cancelled"}': 1,
      [`tasks_canceled_total{${NOWHERE},reason="client"}`]: 1,
    })
    expect(told.logged('job cancelled')).toMatchObject([
      { job_id: 'j2', cause: 'client', ...PLACED_NOWHERE },
    ])
  })

  it('[004-26a2][004-13a3] cancelled with the session it came by, says so', async () => {
    const told = await small()
    acquire(told, 'j1')
    acquire(told, 'j2')
    await told.gains()
    told.rig.coordinator.onSessionClosed(1)
    expect(await told.gains()).toEqual({
      'berth_job_outcome_total{outcome="cancelled"}': 1,
      [`tasks_canceled_total{${NOWHERE},reason="session_lost"}`]: 1,
    })
    expect(told.logged('job cancelled')).toMatchObject([{ job_id: 'j2', cause: 'session_lost' }])
  })

  it('[004-26a2] expired, it is a refusal with its code', async () => {
    const told = await small()
    acquire(told, 'j1')
    acquire(told, 'j2', { maxWaitMs: 1_000 })
    await told.gains()
    await told.rig.pass(1_200, 'h1')
    expect(await told.gains()).toEqual(refused('sim', 'QUEUE_TIMEOUT', 'expired'))
    expect(told.logged('job refused')).toMatchObject([{ job_id: 'j2', outcome: 'expired' }])
  })

  it.each<[string, Partial<JobSpec>, string, Reason]>([
    ['an unknown model', { modelId: 'x' as ModelId }, 'unassigned', 'MODEL_NOT_FOUND'],
    ['a route no engine has', { route: '/v1/nothing' }, 'sim', 'UNSUPPORTED_ROUTE'],
    ['too long a context', { requiredCtx: 1_000_000_000 }, 'sim', 'CONTEXT_TOO_LONG'],
    ['a pool that is not there', { pinPoolId: 'p9' as PoolId }, 'sim', 'POOL_UNAVAILABLE'],
    ['less than its budget', { budget: { tokens: 1 } }, 'sim', 'BUDGET_EXHAUSTED'],
  ])(
    '[004-26a2][004-13a4] impossible for %s, it is refused at once',
    async (_, spec, engine, code) => {
      const told = await small()
      acquire(told, 'j1', spec)
      expect(await told.gains()).toEqual(refused(engine, code))
      expect(told.logged('job refused')).toMatchObject([
        { job_id: 'j1', reason: code, engine, pool_id: 'unassigned', queue_position: 0 },
      ])
    },
  )

  it.each<Reason>(['DEADLINE_UNMET'])(
    '[004-26a2][004-13a4] refused for %s, it is no back-pressure',
    async (reason) => {
      const told = await small()
      const job = {
        ...{ jobId: 'j1' as JobId, modelId: 'm' as ModelId, jobClass: 'interactive' as const },
        ...{ correlationId: 'c', sessionId: '' },
      }
      told.report({ kind: 'job_ended', job, outcome: 'rejected', reason, queuedMs: 0 })
      expect(await told.gains()).toEqual(refused('sim', reason))
      expect(told.logged('job refused')).toMatchObject([{ reason, session_id: null }])
    },
  )

  it('[004-13a4] has no engine while the pools of its model have different ones', async () => {
    const told = await small()
    told.rig.joinHost('h2', [pool('p2', { engine: 'vllm' })])
    acquire(told, 'j1', { route: '/v1/nothing' })
    expect(await told.gains()).toEqual(refused('unassigned', 'UNSUPPORTED_ROUTE'))
  })
})

describe('the end of a lease', () => {
  it('[004-26a2][004-13c2][004-13c3][004-14a] completed, tells everything of its job in one line', async () => {
    const told = await small()
    const first = acquire(told, 'j1')
    acquire(told, 'j2')
    await told.rig.pass(600, 'h1')
    told.rig.coordinator.onRelease(1, first, completed)
    const second = told.rig.take(1).find(({ kind }) => kind === 'assigned')
    await told.gains()
    const result = { ...completed, tokensIn: 7, tokensOut: 11, firstTokenMs: 40, decodeMs: 900 }
    told.rig.coordinator.onRelease(1, (second as { leaseId: LeaseId }).leaseId, result)
    const { replica_id: _, ...pooled } = PLACED_P1
    const labels = `${Object.entries(pooled)
      .map(([k, v]) => `${k}="${v}"`)
      .join(',')},priority="interactive"`
    expect(await told.gains()).toEqual({
      [`tokens_in_total{${ON_P1}}`]: 7,
      [`tokens_out_total{${ON_P1}}`]: 11,
      [`latency_first_token_ms_count{${labels}}`]: 1,
      [`latency_first_token_ms_sum{${labels}}`]: 640,
      [`latency_decode_ms_count{${labels}}`]: 1,
      [`latency_decode_ms_sum{${labels}}`]: 900,
    })
    const line = told.logged('lease released').at(-1)
    expect(line).toMatchObject({
      ...{ job_id: 'j2', session_id: 's1', ...PLACED_P1, queue_position: 1, queued_ms: 600 },
      ...{ tokens_in: 7, tokens_out: 11, first_token_ms: 40, decode_time_ms: 900 },
      ...{ outcome: 'completed', correlation_id: 'c' },
    })
    expect(line).toHaveProperty('predicted_start_ms')
  })

  it.each([
    ['engine_error', 0, {}],
    ['client_gone', 30, { [`tasks_canceled_total{${ON_P1},reason="client"}`]: 1 }],
  ] as const)('[004-26a2] with %s, is no decode latency', async (outcome, firstTokenMs, more) => {
    const told = await small()
    const leaseId = acquire(told, 'j1')
    await told.gains()
    told.rig.coordinator.onRelease(1, leaseId, { ...completed, outcome, firstTokenMs })
    const gains = await told.gains()
    expect(gains).toMatchObject({ [`tokens_in_total{${ON_P1}}`]: 5, ...more })
    expect(Object.keys(gains).filter((name) => name.startsWith('latency_decode'))).toEqual([])
    expect(Object.keys(gains).some((name) => name.startsWith('latency_first'))).toBe(
      firstTokenMs > 0,
    )
    expect(told.logged('lease released')).toMatchObject([{ job_id: 'j1', outcome }])
  })

  it('[004-26a2] voided, counts its cause and names the job', async () => {
    const told = await small()
    const leaseId = acquire(told, 'j1')
    await told.gains()
    told.rig.joinHost('h1', [], { revision: 2 })
    expect(await told.gains()).toEqual({ 'berth_leases_voided_total{cause="gone"}': 1 })
    expect(told.logged('lease voided')).toEqual([
      expect.objectContaining({ job_id: 'j1', ...PLACED_P1, lease_id: leaseId, cause: 'gone' }),
    ])
  })

  it('of an earlier leader counts tokens, and no latency that nobody measured', async () => {
    const told = await small()
    told.rig.joinGateway(2, 'gw2', [liveLease('11111111-1111-4111-8111-111111111111', 'p1')])
    await told.gains()
    const leaseId = '11111111-1111-4111-8111-111111111111' as LeaseId
    told.rig.coordinator.onRelease(2, leaseId, completed)
    expect(await told.gains()).toEqual({
      [`tokens_in_total{${ON_P1}}`]: 5,
      [`tokens_out_total{${ON_P1}}`]: 10,
    })
    expect(told.logged('lease released')).toMatchObject([{ lease_id: leaseId, ...PLACED_P1 }])
  })
})

describe('what is told', () => {
  it('[004-13b] reads the queue by class, and reading it changes nothing', async () => {
    const told = await small()
    acquire(told, 'j1')
    acquire(told, 'j2')
    acquire(told, 'j3', { jobClass: 'batch' })
    const { replica_id: _, ...queue } = PLACED_NOWHERE
    const labels = Object.entries(queue).map(([key, value]) => `${key}="${value}"`)
    const depth = {
      [`queue_depth{${labels.join(',')},priority="interactive"}`]: 1,
      [`queue_depth{${labels.join(',')},priority="batch"}`]: 1,
    }
    expect(await told.samples('queue_depth')).toEqual(depth)
    expect(await told.samples('queue_depth')).toEqual(depth)
  })

  it('has no secret of a caller in it', async () => {
    const told = await small()
    const leaseId = acquire(told, 'j1', { keyId: SECRET, tenant: SECRET })
    acquire(told, 'j2', { keyId: SECRET, tenant: SECRET })
    told.rig.coordinator.onRelease(1, leaseId, completed)
    expect(told.allLogged()).toContain('"job_id":"j2"')
    expect(told.allLogged()).not.toContain(SECRET)
    expect(told.allLogged()).not.toContain('token p1')
  })
})
