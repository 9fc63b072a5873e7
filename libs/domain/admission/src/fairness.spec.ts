import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { ModelId } from '@berth/kernel'
import { DEFAULT_ADMISSION_POLICY, type AdmissionPolicy } from './admission-policy.ts'
import { createAdmissionQueue, leave, offer, type AdmissionQueue } from './admission-queue.ts'
import { depthOf, inOrder, promote } from './order.ts'
import { endService, serve, serveAtOnce, type ServiceNote } from './service-note.ts'
import { jobOf } from './testing/job-of.ts'
import type { JobClass, JobOffer } from './waiting-job.ts'

const M = 'm' as ModelId
const queueOf = (policy: Partial<AdmissionPolicy> = {}): AdmissionQueue<null> =>
  createAdmissionQueue({ ...DEFAULT_ADMISSION_POLICY, capacity: 1_000, ...policy })

let made = 0
const add = (queue: AdmissionQueue<null>, tenant: string, draft: Partial<JobOffer<null>> = {}) =>
  offer(queue, jobOf(`j${(made += 1)}`, { tenant, ...draft }))
const fill = (queue: AdmissionQueue<null>, tenant: string, jobs: number, costTokens = 10) => {
  for (let n = 0; n < jobs; n += 1) add(queue, tenant, { costTokens })
}
/** Serves the next job, and returns it with what was charged. */
const serveNext = (queue: AdmissionQueue<null>) => {
  const job = inOrder(queue, M).next().value!
  return { job, note: serve(queue, job.jobId)! }
}
const tenantsServed = (queue: AdmissionQueue<null>, jobs: number) =>
  Array.from({ length: jobs }, () => serveNext(queue).job.tenant)
const count = (tenants: readonly string[], of: string) => tenants.filter((t) => t === of).length

describe('two tenants that wait', () => {
  it.each<[string, Partial<AdmissionPolicy>, number, number, number]>([
    // weights, jobs of greedy and of modest that wait, of 20 served: greedy's
    ['equal weights, 10:1 in number', {}, 200, 20, 10],
    ['equal weights, the same number', {}, 50, 50, 10],
    ['a weight of 3 for greedy', { tenantWeights: { greedy: 3 } }, 200, 20, 15],
    ['a weight of 4 for modest', { tenantWeights: { modest: 4 } }, 200, 20, 4],
  ])('[004-06b] share by weight, not by number: %s', (_, policy, greedy, modest, expected) => {
    const queue = queueOf(policy)
    fill(queue, 'greedy', greedy)
    fill(queue, 'modest', modest)
    expect(count(tenantsServed(queue, 20), 'greedy')).toBe(expected)
  })

  it('share tokens, not jobs', () => {
    const queue = queueOf()
    fill(queue, 'long', 100, 90)
    fill(queue, 'short', 100, 10)
    expect(count(tenantsServed(queue, 50), 'short')).toBe(45)
  })

  it('share the queue itself: the last quarter is kept for the one that asks less', () => {
    const queue = queueOf({ capacity: 16 })
    fill(queue, 'greedy', 30)
    expect(depthOf(queue, M)).toBe(16)
    serveNext(queue)
    expect(add(queue, 'modest')).toMatchObject({ kind: 'queued' })
    serveNext(queue)
    expect(add(queue, 'greedy')).toMatchObject({
      reason: 'queue_full',
      policyLabel: 'tenant-share',
    })
    expect(add(queue, 'modest')).toMatchObject({ kind: 'queued' })
  })
})

describe('a tenant', () => {
  it('saves up nothing while it is idle', () => {
    const queue = queueOf()
    fill(queue, 'busy', 60)
    tenantsServed(queue, 30)
    fill(queue, 'late', 20)
    expect(count(tenantsServed(queue, 20), 'late')).toBe(10)
  })

  it('does not get rid of what it owes by leaving the queue for a moment', () => {
    const queue = queueOf()
    fill(queue, 'patient', 10)
    const greedy = add(queue, 'greedy', { costTokens: 40 })
    const notes = Array.from({ length: 2 }, () => serveNext(queue).note)
    for (const note of notes) endService(queue, note)
    expect(greedy).toMatchObject({ kind: 'queued' })
    fill(queue, 'greedy', 5)
    // It was served 40 tokens, the other 10: three more jobs of 10 are the other's.
    expect(tenantsServed(queue, 4)).toEqual(['patient', 'patient', 'patient', 'patient'])
  })

  it('is charged what its jobs really took, also those that never waited', () => {
    const queue = queueOf()
    const note = serveAtOnce(queue, jobOf('now', { tenant: 'liar', costTokens: 1 }))
    fill(queue, 'honest', 10)
    fill(queue, 'liar', 10)
    endService(queue, note, 51)
    expect(count(tenantsServed(queue, 7), 'liar')).toBe(1)
  })

  it('gets back what its jobs did not take', () => {
    const queue = queueOf()
    fill(queue, 'a', 10)
    fill(queue, 'b', 10, 10)
    const { job, note } = serveNext(queue)
    expect(job.tenant).toBe('a')
    endService(queue, note, 0)
    expect(tenantsServed(queue, 1)).toEqual(['a'])
  })

  it('is forgotten when it is idle and owes nothing, and all of a model when it is quiet', () => {
    const queue = queueOf()
    add(queue, 'a')
    const { note } = serveNext(queue)
    expect(queue.models.get(M)!.interactive.tenants.has('a')).toBe(true)
    add(queue, 'b', { costTokens: 1_000 })
    endService(queue, note)
    expect([...queue.models.get(M)!.interactive.tenants.keys()]).toEqual(['b'])
    endService(queue, serveNext(queue).note)
    expect(queue.models.size).toBe(0)
  })

  it('is one of a bounded number that are remembered for what they owe', () => {
    const queue = queueOf()
    add(queue, 'waits')
    for (let n = 0; n < 10_000; n += 1) {
      endService(queue, serveAtOnce(queue, jobOf('x', { tenant: `t${n}`, costTokens: n + 1 })))
    }
    expect(queue.models.get(M)!.interactive.tenants.size).toBeLessThanOrEqual(2_048)
  })
})

describe('a tenant that claims far more than it takes', () => {
  const CLAIM = { tenant: 'liar', costTokens: 1_000_000_000 }

  it('[004-06b] holds nobody back who comes before that is known', () => {
    const queue = queueOf()
    const note = serveAtOnce(queue, jobOf('claim', CLAIM))
    fill(queue, 'liar', 20, 500)
    fill(queue, 'honest', 20, 500)
    endService(queue, note, 10)
    expect(count(tenantsServed(queue, 20), 'honest')).toBeGreaterThanOrEqual(9)
  })

  it('[004-06b] holds no other class back either', () => {
    const queue = queueOf({ priorityWeights: { interactive: 1, batch: 1 } })
    const note = serveAtOnce(queue, jobOf('claim', { ...CLAIM, jobClass: 'batch' }))
    for (let n = 0; n < 20; n += 1) {
      add(queue, 'liar', { jobClass: 'batch', costTokens: 500 })
    }
    fill(queue, 'honest', 20, 500)
    endService(queue, note, 10)
    expect(count(tenantsServed(queue, 20), 'honest')).toBeGreaterThanOrEqual(9)
  })

  it('gains nothing by leaving the queue while the claim stands', () => {
    const queue = queueOf()
    fill(queue, 'honest', 40)
    const note = serveAtOnce(queue, jobOf('claim', CLAIM))
    fill(queue, 'liar', 10)
    expect(count(tenantsServed(queue, 20), 'liar')).toBe(0)
    endService(queue, note, 200)
    expect(count(tenantsServed(queue, 20), 'liar')).toBe(10)
  })
})

describe('classes', () => {
  const mixed = (policy: Partial<AdmissionPolicy>) => {
    const queue = queueOf(policy)
    for (let n = 0; n < 40; n += 1) {
      add(queue, '', { jobClass: 'interactive' })
      add(queue, '', { jobClass: 'batch' })
    }
    return queue
  }
  const linesServed = (queue: AdmissionQueue<null>, jobs: number): JobClass[] =>
    Array.from({ length: jobs }, () => serveNext(queue).job.jobClass)

  it('[004-08a] are strict without weights: batch jobs are served when no other waits', () => {
    const served = linesServed(mixed({}), 80)
    expect(served.slice(0, 40)).toEqual(Array(40).fill('interactive'))
    expect(served.slice(40)).toEqual(Array(40).fill('batch'))
  })

  it('[004-06b] share served tokens by their weights where they have some', () => {
    const served = linesServed(mixed({ priorityWeights: { interactive: 3, batch: 1 } }), 40)
    expect(count(served, 'batch')).toBe(10)
  })

  it('save up nothing while nobody of them waits', () => {
    const queue = queueOf({ priorityWeights: { interactive: 1, batch: 1 } })
    for (let n = 0; n < 40; n += 1) add(queue, '', { jobClass: 'interactive' })
    linesServed(queue, 20)
    for (let n = 0; n < 20; n += 1) add(queue, '', { jobClass: 'batch' })
    expect(count(linesServed(queue, 20), 'batch')).toBe(10)
  })

  it('charge a promoted job to the line it was promoted to', () => {
    const queue = queueOf({ promoteAfterMs: 100 })
    add(queue, 'old', { jobClass: 'batch', costTokens: 30 })
    promote(queue, 100)
    add(queue, 'old', { arrivedAtMs: 110 })
    fill(queue, 'new', 3)
    expect(tenantsServed(queue, 5)).toEqual(['new', 'old', 'new', 'new', 'old'])
  })
})

describe('the bound of the virtual token counter', () => {
  /** Sheng et al., theorem 4.4, with one job at a time: twice the dearest job between two. */
  it('[004-06b] keeps tenants that wait all the time within twice the dearest job', () => {
    const weights = { a: 1, b: 2, c: 5 }
    const tenants = Object.keys(weights) as (keyof typeof weights)[]
    const jobs = fc.array(fc.tuple(fc.constantFrom(...tenants), fc.integer({ min: 1, max: 500 })), {
      minLength: 60,
      maxLength: 200,
    })
    fc.assert(
      fc.property(jobs, fc.nat(8), (drafts, slots) => {
        const queue = queueOf({ tenantWeights: weights })
        for (const [tenant, costTokens] of drafts) add(queue, tenant, { costTokens })
        const dearest = Math.max(...drafts.map(([tenant, cost]) => cost / weights[tenant]))
        const served = { a: 0, b: 0, c: 0 }
        const running: ServiceNote[] = []
        const lines = () => queue.models.get(M)!.interactive.tenants
        while (tenants.every((tenant) => (lines().get(tenant)?.length ?? 0) > 0)) {
          const { job, note } = serveNext(queue)
          running.push(note)
          served[job.tenant as keyof typeof served] += job.costTokens
          for (const done of running.splice(0, running.length - slots)) endService(queue, done)
          const shares = tenants.map((tenant) => served[tenant] / weights[tenant])
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2 * dearest)
        }
      }),
    )
  })

  it('holds from the moment a tenant comes back, whatever happened before', () => {
    const queue = queueOf()
    fill(queue, 'a', 100, 7)
    add(queue, 'b', { costTokens: 500 })
    tenantsServed(queue, 40)
    fill(queue, 'c', 100, 7)
    const served = tenantsServed(queue, 40)
    expect(Math.abs(count(served, 'a') - count(served, 'c'))).toBeLessThanOrEqual(2)
    expect(count(served, 'b')).toBe(0)
    for (const job of [...queue.jobs.values()]) leave(queue, job.jobId, 'cancelled')
    expect(queue.jobs.size).toBe(0)
  })
})
