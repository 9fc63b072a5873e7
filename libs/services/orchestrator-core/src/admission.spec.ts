import { describe, expect, it } from '@jest/globals'
import { DEFAULT_ADMISSION_POLICY, type AdmissionPolicy } from '@berth/admission'
import type { InstanceId, JobId, ModelId, PoolId } from '@berth/kernel'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const P1 = 'p1' as PoolId
const admission = (draft: Partial<AdmissionPolicy>) => ({
  admission: { ...DEFAULT_ADMISSION_POLICY, ...draft },
})
/** One host with one pool, one gateway on session 1. */
const small = (slotsTotal = 1, policy: Parameters<typeof createRig>[0] = {}): Rig => {
  const rig = createRig(policy)
  rig.joinHost('h1', [pool('p1', { slotsTotal })])
  rig.joinGateway(1, 'gw')
  rig.take(1)
  return rig
}
const acquire = (
  rig: Rig,
  id: string,
  ...rest: [Parameters<typeof ask>[1]?, Parameters<typeof ask>[2]?]
) => rig.coordinator.onAcquire(1, ask(id, ...rest))
const assignedTo = (rig: Rig, session = 1) =>
  rig.take(session).flatMap((signal) => (signal.kind === 'assigned' ? [signal.jobId] : []))
const lastSignal = (rig: Rig) => rig.take(1).at(-1)
const decisions = (rig: Rig) => rig.events.filter(({ kind }) => kind === 'decided').length
const outcomes = (rig: Rig) =>
  rig.events.flatMap((event) => (event.kind === 'job_ended' ? [event.outcome] : []))
/** Ends the one lease there is, and says whose job goes next. */
const serveNext = (rig: Rig): string => {
  const [lease] = rig.coordinator.core.leases.byId.values()
  rig.coordinator.onRelease(1, lease!.leaseId, { ...completed, tokensIn: 0 })
  return assignedTo(rig)[0]!
}

describe('jobs that cannot go', () => {
  /** Each wants more context than the one before, so that no two share an answer. */
  const stuckHeads = (rig: Rig, count: number) => {
    rig.joinHost('h1', [pool('p1', { slotsTotal: 1 }), pool('p2', { slotsTotal: 0 })])
    rig.joinGateway(1, 'gw')
    for (let n = 0; n < count; n += 1) {
      acquire(
        rig,
        `stuck${n}`,
        { pinPoolId: 'p2' as PoolId, engine: '', minVramBytes: 0 },
        {
          exclusions: [{ poolId: `other${n}` as PoolId, instanceId: 'i' as InstanceId }],
        },
      )
    }
    rig.take(1)
  }

  it('hold up nobody, however many stand at the head with demands of their own', async () => {
    const rig = createRig()
    stuckHeads(rig, 100)
    acquire(rig, 'first')
    expect(assignedTo(rig)).toEqual(['first'])
    acquire(rig, 'second')
    acquire(rig, 'third')
    for (const next of ['second', 'third']) {
      const [lease] = rig.coordinator.core.leases.byId.values()
      rig.coordinator.onRelease(1, lease!.leaseId, completed)
      await rig.pass(600, 'h1')
      expect(assignedTo(rig)).toEqual([next])
    }
    expect(rig.coordinator.core.queue.jobs.size).toBe(100)
  })

  it('cost one pass a bounded number of decisions, and all have their turn within a few', async () => {
    const rig = createRig({ exclusionMs: 60_000 })
    stuckHeads(rig, 200)
    const { core } = rig.coordinator
    const before = decisions(rig)
    rig.coordinator.onTick()
    expect(decisions(rig) - before).toBeLessThanOrEqual(64)
    const since = core.passes
    await rig.pass(1_400, 'h1')
    const looked = [...core.queue.jobs.values()].map(({ payload }) => payload.lookedAtPass)
    expect(looked.filter((pass) => pass < since)).toEqual([])
  })

  it('with the same demands share one decision', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1'), pool('p2', { slotsTotal: 0 })])
    rig.joinGateway(1, 'gw')
    for (let n = 0; n < 50; n += 1) {
      acquire(rig, `j${n}`, { pinPoolId: 'p2' as PoolId, requiredCtx: 100 + n })
    }
    acquire(rig, 'free', { requiredCtx: 10 })
    rig.take(1)
    const before = decisions(rig)
    expect(serveNext(rig)).toBeUndefined()
    expect(decisions(rig) - before).toBe(1)
  })

  it('do not fill the queue against one that could go', () => {
    const rig = createRig(admission({ capacity: 2 }))
    rig.joinHost('h1', [pool('p1'), pool('p2', { slotsTotal: 0 })])
    rig.joinGateway(1, 'gw')
    acquire(rig, 'a', { pinPoolId: 'p2' as PoolId })
    acquire(rig, 'b', { pinPoolId: 'p2' as PoolId })
    rig.take(1)
    acquire(rig, 'c')
    expect(assignedTo(rig)).toEqual(['c'])
    acquire(rig, 'd')
    expect(lastSignal(rig)).toMatchObject({ kind: 'rejected', reason: 'ADMISSION_REJECT' })
    expect(outcomes(rig)).toEqual(['dispatched', 'rejected'])
  })

  it('keep their place when another gateway sends their id', () => {
    const rig = small()
    rig.joinGateway(2, 'other')
    for (const id of ['runs', 'j1']) acquire(rig, id)
    rig.take(1)
    rig.take(2)
    rig.coordinator.onAcquire(2, ask('j1'))
    expect(rig.take(2)).toMatchObject([{ kind: 'rejected', reason: 'DUPLICATE_TASK' }])
    expect(serveNext(rig)).toBe('j1')
  })

  it('of a model leave a slot of its pool to those of another, interactive ones first', () => {
    const rig = createRig()
    rig.joinHost('h1', [pool('p1', { models: ['m', 'n'] })])
    rig.joinGateway(1, 'gw')
    acquire(rig, 'runs')
    acquire(rig, 'batch', { jobClass: 'batch' })
    acquire(rig, 'interactive', { modelId: 'n' as ModelId })
    rig.take(1)
    expect(serveNext(rig)).toBe('interactive')
    expect(serveNext(rig)).toBe('batch')
  })
})

describe('tenants that wait for one slot', () => {
  const served = (rig: Rig, count: number) =>
    Array.from({ length: count }, () => serveNext(rig).replace(/\d+$/, ''))

  it('[004-06b] get half of it each, though one asks ten times as much', () => {
    const rig = small()
    acquire(rig, 'runs')
    for (let n = 0; n < 100; n += 1) acquire(rig, `greedy${n}`, { tenant: 'greedy' })
    for (let n = 0; n < 10; n += 1) acquire(rig, `modest${n}`, { tenant: 'modest' })
    rig.take(1)
    const tenants = served(rig, 20)
    expect(tenants.filter((tenant) => tenant === 'greedy')).toHaveLength(10)
  })

  it('[004-06b] get it by their weights', () => {
    const rig = small(1, admission({ tenantWeights: { gold: 3 } }))
    acquire(rig, 'runs')
    for (let n = 0; n < 20; n += 1) {
      acquire(rig, `gold${n}`, { tenant: 'gold' })
      acquire(rig, `tin${n}`, { tenant: 'tin' })
    }
    rig.take(1)
    expect(served(rig, 20).filter((tenant) => tenant === 'gold')).toHaveLength(15)
  })

  it('pay nothing for a job that its engine refused, whatever it asked for', () => {
    const rig = small()
    acquire(rig, 'first', { tenant: 'unlucky', maxTokens: 100_000 })
    for (let n = 0; n < 10; n += 1) {
      acquire(rig, `unlucky${n}`, { tenant: 'unlucky' })
      acquire(rig, `other${n}`, { tenant: 'other' })
    }
    const [lease] = rig.coordinator.core.leases.byId.values()
    rig.take(1)
    const nothing = { outcome: 'engine_error', tokensIn: 0, tokensOut: 0 } as const
    rig.coordinator.onRelease(1, lease!.leaseId, { ...completed, ...nothing })
    expect(assignedTo(rig)).toEqual(['unlucky0'])
  })

  it('pay for what their jobs really took', () => {
    const rig = small()
    acquire(rig, 'first', { tenant: 'liar', expectedTokensHint: 1 })
    for (let n = 0; n < 10; n += 1) {
      acquire(rig, `liar${n}`, { tenant: 'liar', maxTokens: 10 })
      acquire(rig, `honest${n}`, { tenant: 'honest', maxTokens: 10 })
    }
    const [lease] = rig.coordinator.core.leases.byId.values()
    rig.take(1)
    rig.coordinator.onRelease(1, lease!.leaseId, { ...completed, tokensIn: 20, tokensOut: 31 })
    const next = assignedTo(rig)[0]!
    expect([next.replace(/\d+$/, ''), ...served(rig, 4)]).toEqual(Array(5).fill('honest'))
  })

  it('pay nothing for a job that no engine ever saw', () => {
    const rig = small()
    acquire(rig, 'a1', { tenant: 'a', maxTokens: 500 })
    acquire(rig, 'b1', { tenant: 'b' })
    acquire(rig, 'a2', { tenant: 'a' })
    rig.take(1)
    rig.coordinator.onCancel(1, 'a1' as JobId)
    expect(assignedTo(rig)).toEqual(['a2'])
    expect(serveNext(rig)).toBe('b1')
    const [lease] = rig.coordinator.core.leases.byId.values()
    rig.coordinator.onRelease(1, lease!.leaseId, completed)
    expect(rig.coordinator.core.queue.models.size).toBe(0)
  })
})

describe('a full queue', () => {
  it('[004-05b] refuses the newcomer with 429 and when it would have started', () => {
    const rig = small(1, admission({ capacity: 2 }))
    for (const id of ['j1', 'j2', 'j3']) acquire(rig, id)
    const last = lastSignal(rig)
    const etaMs = last?.kind === 'queued' ? last.predictedStartMs : NaN
    acquire(rig, 'j4')
    const refused = lastSignal(rig)
    expect(refused).toMatchObject({ reason: 'ADMISSION_REJECT', policyLabel: 'reject' })
    expect(refused?.kind === 'rejected' && refused.retryAfterMs > etaMs).toBe(true)
    expect(rig.coordinator.core.queue.jobs.size).toBe(2)
  })

  it('[004-05b2] [004-08a2] drops the oldest batch job for a newcomer, and tells its gateway', () => {
    const rig = small(1, admission({ capacity: 1, fullPolicy: 'drop-lru' }))
    acquire(rig, 'runs')
    rig.joinGateway(2, 'other')
    rig.coordinator.onAcquire(2, ask('batch', { jobClass: 'batch' }))
    acquire(rig, 'i1')
    rig.take(2)
    acquire(rig, 'i2')
    const [told] = rig.take(2)
    expect(told).toMatchObject({ kind: 'rejected', jobId: 'batch', reason: 'QUEUE_FULL_DROP_LRU' })
    expect(told?.kind === 'rejected' && told.retryAfterMs > 0).toBe(true)
    acquire(rig, 'i3')
    expect(lastSignal(rig)).toMatchObject({ jobId: 'i3', reason: 'ADMISSION_REJECT' })
    expect(outcomes(rig)).toEqual(['dispatched', 'evicted', 'rejected'])
  })

  it('[004-08a2] is never made room in by dropping an interactive job for a batch job', () => {
    const rig = small(1, admission({ capacity: 1, fullPolicy: 'drop-lru' }))
    for (const id of ['runs', 'i1']) acquire(rig, id)
    acquire(rig, 'b1', { jobClass: 'batch' })
    acquire(rig, 'b2', { jobClass: 'batch' })
    const waiting = [...rig.coordinator.core.queue.jobs.keys()]
    expect(waiting).toEqual(['i1', 'b2'])
  })

  it('does not refuse jobs that the leader before had admitted, up to a bound', async () => {
    const rig = small(1, admission({ capacity: 2 }))
    await rig.pass(1_000, 'h1')
    rig.joinGateway(2, 'late')
    for (const id of ['runs', 'n1', 'n2', 'n3']) acquire(rig, id)
    expect(lastSignal(rig)).toMatchObject({ jobId: 'n3', reason: 'ADMISSION_REJECT' })
    rig.take(2)
    for (const id of ['o1', 'o2', 'o3']) {
      rig.coordinator.onAcquire(2, ask(id, {}, { waitedMs: 500 }))
    }
    expect(rig.take(2)).toMatchObject([
      { kind: 'queued', jobId: 'o1', position: 1 },
      { kind: 'queued', jobId: 'o2', position: 2 },
      { kind: 'rejected', jobId: 'o3' },
    ])
    const [lease] = rig.coordinator.core.leases.byId.values()
    rig.coordinator.onRelease(1, lease!.leaseId, completed)
    expect(assignedTo(rig, 2)).toEqual(['o1'])
  })

  it('does not refuse a job that had a slot at a pool that failed it', () => {
    const rig = small(1, admission({ capacity: 1 }))
    for (const id of ['runs', 'waits']) acquire(rig, id)
    rig.take(1)
    acquire(rig, 'again', {}, { exclusions: [{ poolId: P1, instanceId: 'x' as InstanceId }] })
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', jobId: 'again' }])
  })
})

describe('what a waiting job is told', () => {
  it('is the number of jobs really before it, over tenants and classes', () => {
    const rig = small()
    acquire(rig, 'runs')
    acquire(rig, 'a1', { tenant: 'a' })
    acquire(rig, 'a2', { tenant: 'a' })
    acquire(rig, 'batch', { jobClass: 'batch' })
    acquire(rig, 'b1', { tenant: 'b' })
    const told = rig.take(1).flatMap((s) => (s.kind === 'queued' ? [[s.jobId, s.position]] : []))
    expect(told).toEqual([
      ['a1', 1],
      ['a2', 2],
      ['batch', 3],
      ['b1', 2],
    ])
  })

  it('is told again when it changed, and only then', async () => {
    const rig = small()
    for (const id of ['runs', 'j1', 'j2', 'j3']) acquire(rig, id)
    rig.take(1)
    rig.coordinator.onCancel(1, 'j2' as JobId)
    await rig.pass(1_000, 'h1')
    expect(rig.take(1)).toMatchObject([{ kind: 'queued', jobId: 'j3', position: 2, queueDepth: 2 }])
    await rig.pass(1_000, 'h1')
    expect(rig.take(1)).toEqual([])
  })

  it('is told again when what it waits for has changed', async () => {
    const rig = small()
    for (const id of ['runs', 'j1']) acquire(rig, id)
    rig.take(1)
    rig.joinHost('h1', [pool('p1', { isReady: false, state: 'starting' })], { revision: 2 })
    await rig.pass(1_000, 'h1')
    const told = rig.take(1).filter(({ kind }) => kind === 'queued')
    expect(told).toMatchObject([{ jobId: 'j1', position: 1, reason: 'POOL_UNREADY' }])
  })

  it('never says that it starts now, and more with more before it', () => {
    const rig = small()
    for (const id of ['runs', 'j1', 'j2', 'j3']) acquire(rig, id)
    const etas = rig.take(1).flatMap((s) => (s.kind === 'queued' ? [s.predictedStartMs] : []))
    expect(etas[0]).toBeGreaterThan(0)
    expect(etas).toEqual([...etas].sort((a, b) => a - b))
    expect(new Set(etas).size).toBe(3)
  })

  it('[004-15a] says how many wait, and how likely it is in time when it has a deadline', () => {
    const rig = small()
    acquire(rig, 'j1', { deadlineMs: 60_000 })
    acquire(rig, 'j2', { deadlineMs: 5_000 })
    acquire(rig, 'j3')
    const [j1, j2, j3] = rig.take(1)
    expect(j1).toMatchObject({ kind: 'assigned', queueDepth: 0 })
    expect(j2).toMatchObject({ kind: 'queued', queueDepth: 1 })
    const probability = (signal: typeof j1) =>
      signal && 'onTimeProbability' in signal ? signal.onTimeProbability : NaN
    expect(probability(j1)).toBeGreaterThan(probability(j2))
    expect(probability(j2)).toBeGreaterThanOrEqual(0)
    expect(probability(j1)).toBeLessThanOrEqual(1)
    expect(j3).not.toHaveProperty('onTimeProbability')
  })

  it('is when to come again, from the estimate, when its time is over', async () => {
    const rig = small()
    for (const id of ['runs', 'j1', 'j2']) acquire(rig, id, { maxWaitMs: 2_000 })
    rig.take(1)
    await rig.pass(2_000, 'h1')
    const refused = rig.take(1).flatMap((s) => (s.kind === 'rejected' ? [s] : []))
    expect(refused.map(({ reason }) => reason)).toEqual(['QUEUE_TIMEOUT', 'QUEUE_TIMEOUT'])
    acquire(rig, 'j3')
    const next = lastSignal(rig)
    expect(next?.kind === 'queued' && next.predictedStartMs).toBe(refused[0]!.retryAfterMs)
  })
})

describe('a deadline', () => {
  const PROMPT = { promptTokens: 1_024 }
  /** Serves requests of 10 tokens in a second each, until the pool is known by them. */
  const measured = async () => {
    const rig = small()
    for (let n = 0; n < 20; n += 1) {
      acquire(rig, `past${n}`, PROMPT)
      await rig.pass(1_000, 'h1')
      const [lease] = rig.coordinator.core.leases.byId.values()
      const result = { ...completed, tokensIn: 1_024, firstTokenMs: 100, decodeMs: 900 }
      rig.coordinator.onRelease(1, lease!.leaseId, result)
    }
    rig.take(1)
    return rig
  }

  it('that cannot be met is refused at once, with the facts', async () => {
    const rig = await measured()
    acquire(rig, 'late', { ...PROMPT, deadlineMs: 200 })
    const refused = lastSignal(rig)
    expect(refused).toMatchObject({ kind: 'rejected', reason: 'DEADLINE_UNMET', retryAfterMs: 0 })
    const { message, predictedEndMs } = refused as { message: string; predictedEndMs: number }
    expect(predictedEndMs).toBeGreaterThan(200)
    expect(message).toContain(`${predictedEndMs} ms`)
    expect(message).toContain('200 ms')
    expect(outcomes(rig).at(-1)).toBe('rejected')
  })

  it('counts the queue before it', async () => {
    const rig = await measured()
    for (const id of ['runs', 'j1', 'j2', 'j3']) acquire(rig, id, PROMPT)
    rig.take(1)
    acquire(rig, 'late', { ...PROMPT, deadlineMs: 2_500 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'rejected', reason: 'DEADLINE_UNMET' })
    acquire(rig, 'fine', { ...PROMPT, deadlineMs: 60_000 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'queued', jobId: 'fine' })
  })

  it('counts from the arrival', async () => {
    const rig = await measured()
    await rig.pass(200, 'h1')
    acquire(rig, 'fresh', { ...PROMPT, deadlineMs: 3_000 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'assigned' })
    const [lease] = rig.coordinator.core.leases.byId.values()
    rig.coordinator.onRelease(1, lease!.leaseId, completed)
    acquire(rig, 'old', { ...PROMPT, deadlineMs: 3_000 }, { waitedMs: 2_900 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'rejected', reason: 'DEADLINE_UNMET' })
  })

  it('refuses nobody by default speeds', () => {
    const rig = small()
    acquire(rig, 'j1', { ...PROMPT, deadlineMs: 100 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'assigned' })
  })

  it('refuses nobody while a pool may still become ready', async () => {
    const rig = await measured()
    rig.joinHost('h2', [pool('p2', { isReady: false, state: 'starting' })])
    acquire(rig, 'runs')
    acquire(rig, 'j1', { ...PROMPT, deadlineMs: 300 })
    expect(lastSignal(rig)).toMatchObject({ kind: 'queued', jobId: 'j1' })
  })

  it('that passes while the job waits ends its wait with QUEUE_TIMEOUT', async () => {
    const rig = small()
    acquire(rig, 'runs')
    acquire(rig, 'j1', { ...PROMPT, deadlineMs: 600 })
    rig.take(1)
    await rig.pass(600, 'h1')
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'QUEUE_TIMEOUT' }])
    expect(outcomes(rig)).toEqual(['dispatched', 'expired'])
  })
})
