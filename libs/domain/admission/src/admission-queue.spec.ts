import { describe, expect, it } from '@jest/globals'
import type { JobId, ModelId } from '@berth/kernel'
import type { AdmissionPolicy } from './admission-policy.ts'
import { createAdmissionQueue, leave, offer, type AdmissionQueue } from './admission-queue.ts'
import { depthAhead, expire, inOrder, jobsAhead, promote } from './order.ts'
import { endService, serve } from './service-note.ts'
import { jobOf } from './testing/job-of.ts'
import type { JobClass } from './waiting-job.ts'

const M = 'm' as ModelId
const POLICY: AdmissionPolicy = { capacity: 2, fullPolicy: 'reject', promoteAfterMs: 1_000 }
const queueOf = (policy: Partial<AdmissionPolicy> = {}): AdmissionQueue<null> =>
  createAdmissionQueue({ ...POLICY, ...policy })

const add = (queue: AdmissionQueue<null>, id: string, jobClass: JobClass, arrivedAtMs = 0) =>
  offer(queue, jobOf(id, { jobClass, arrivedAtMs, expiresAtMs: arrivedAtMs + 10_000 }))
const order = (queue: AdmissionQueue<null>) => [...inOrder(queue, M)].map(({ jobId }) => jobId)

describe('the queue', () => {
  it('[004-08a][ORCH-3004] serves interactive jobs first, each class in order of arrival', () => {
    const queue = queueOf()
    add(queue, 'b1', 'batch', 1)
    add(queue, 'i1', 'interactive', 2)
    add(queue, 'b2', 'batch', 3)
    add(queue, 'i2', 'interactive', 4)
    expect(order(queue)).toEqual(['i1', 'i2', 'b1', 'b2'])
  })

  it('gives a job that is sent again its original place', () => {
    const queue = queueOf({ capacity: 9 })
    add(queue, 'late', 'interactive', 500)
    add(queue, 'later', 'interactive', 900)
    add(queue, 'early', 'interactive', 100)
    expect(order(queue)).toEqual(['early', 'late', 'later'])
  })

  it('[004-05b][ORCH-3005] refuses the newcomer when its class is full, and changes nothing', () => {
    const queue = queueOf()
    for (const id of ['b1', 'b2']) add(queue, id, 'batch')
    expect(add(queue, 'b3', 'batch')).toEqual({
      ...{ kind: 'rejected', reason: 'queue_full', policyLabel: 'reject', retryAfterMs: 1 },
    })
    expect(add(queue, 'i1', 'interactive')).toMatchObject({ kind: 'queued' })
    expect(order(queue)).toEqual(['i1', 'b1', 'b2'])
    expect(queue.outcomes.rejected).toBe(1)
  })

  it('refuses a job id that waits already', () => {
    const queue = queueOf()
    add(queue, 'i1', 'interactive')
    expect(add(queue, 'i1', 'batch')).toMatchObject({ reason: 'duplicate' })
    expect(order(queue)).toEqual(['i1'])
  })

  it('counts the jobs that are really ahead, over both classes', () => {
    const queue = queueOf()
    for (const id of ['b1', 'b2']) add(queue, id, 'batch')
    for (const id of ['i1', 'i2']) add(queue, id, 'interactive')
    expect(['i1', 'i2', 'b1', 'b2'].map((id) => jobsAhead(queue, id as JobId))).toEqual([
      0, 1, 2, 3,
    ])
    leave(queue, 'i1' as JobId, 'cancelled')
    expect(jobsAhead(queue, 'b2' as JobId)).toBe(2)
    expect(jobsAhead(queue, 'i1' as JobId)).toBeUndefined()
    expect([depthAhead(queue, M, 'interactive'), depthAhead(queue, M, 'batch')]).toEqual([1, 3])
  })

  it('ends a wait once, and forgets a model nobody waits for', () => {
    const queue = queueOf()
    add(queue, 'i1', 'interactive')
    expect(leave(queue, 'i1' as JobId, 'cancelled')?.jobId).toBe('i1')
    expect(leave(queue, 'i1' as JobId, 'expired')).toBeUndefined()
    expect(serve(queue, 'i1' as JobId)).toBeUndefined()
    expect(queue.outcomes).toEqual({
      ...{ cancelled: 1, dispatched: 0, evicted: 0, expired: 0, rejected: 0 },
    })
    expect(queue.models.size + queue.jobs.size).toBe(0)
  })

  it('expires jobs at their time and returns them', () => {
    const queue = queueOf()
    add(queue, 'i1', 'interactive', 0)
    add(queue, 'i2', 'interactive', 1)
    expect(expire(queue, 9_999)).toEqual([])
    expect(expire(queue, 10_000).map(({ jobId }) => jobId)).toEqual(['i1'])
    expect(order(queue)).toEqual(['i2'])
  })

  it('promotes a batch job after its time, behind those who came before that moment', () => {
    const queue = queueOf({ capacity: 9 })
    add(queue, 'b1', 'batch', 0)
    add(queue, 'b2', 'batch', 600)
    add(queue, 'i1', 'interactive', 900)
    add(queue, 'i2', 'interactive', 1_100)
    expect(promote(queue, 999)).toBe(0)
    expect(promote(queue, 1_200)).toBe(1)
    expect(order(queue)).toEqual(['i1', 'b1', 'i2', 'b2'])
  })

  it('gives no room to batch jobs by promoting one', () => {
    const queue = queueOf({ capacity: 1 })
    add(queue, 'b1', 'batch', 0)
    promote(queue, 1_000)
    expect(add(queue, 'b2', 'batch', 1_000)).toMatchObject({ kind: 'rejected' })
    endService(queue, serve(queue, 'b1' as JobId)!)
    expect(add(queue, 'b2', 'batch', 1_000)).toMatchObject({ kind: 'queued' })
  })
})

describe('the policy drop-lru', () => {
  it('[004-05b2] lets the newcomer in and drops the oldest batch job', () => {
    const queue = queueOf({ fullPolicy: 'drop-lru' })
    for (const id of ['b1', 'b2']) add(queue, id, 'batch')
    for (const id of ['i1', 'i2']) add(queue, id, 'interactive')
    expect(add(queue, 'i3', 'interactive')).toMatchObject({ evicted: { jobId: 'b1' } })
    expect(order(queue)).toEqual(['i1', 'i2', 'i3', 'b2'])
    expect(queue.outcomes.evicted).toBe(1)
  })

  it('never drops an interactive job, and refuses when there is no batch job to drop', () => {
    const queue = queueOf({ fullPolicy: 'drop-lru' })
    for (const id of ['i1', 'i2']) add(queue, id, 'interactive')
    expect(add(queue, 'i3', 'interactive')).toMatchObject({
      ...{ kind: 'rejected', policyLabel: 'drop-lru' },
    })
  })
})
