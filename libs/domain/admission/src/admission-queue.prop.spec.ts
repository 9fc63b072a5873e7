import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { JobId, ModelId } from '@berth/kernel'
import { createAdmissionQueue, leave, offer, type AdmissionQueue } from './admission-queue.ts'
import { expire, inOrder, jobsAhead, promote } from './order.ts'

const CAPACITY = 3
const MODELS = ['m', 'n'] as ModelId[]

const stepArbitrary = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      modelId: fc.constantFrom(...MODELS),
      jobClass: fc.constantFrom('interactive' as const, 'batch' as const),
      waitedMs: fc.constantFrom(0, 0, 0, 40),
      waitMs: fc.integer({ min: 1, max: 200 }),
    }),
  },
  fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(30) }),
  fc.record({ kind: fc.constant('take' as const), modelId: fc.constantFrom(...MODELS) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 60 }) }),
)
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never

const policyArbitrary = fc.constantFrom('reject' as const, 'drop-lru' as const)

/** Plays the steps, and keeps its own account of how each job ended. */
const play = (
  fullPolicy: 'reject' | 'drop-lru',
  steps: readonly Step[],
  check: (queue: AdmissionQueue<null>) => void,
) => {
  const queue = createAdmissionQueue<null>({ capacity: CAPACITY, fullPolicy, promoteAfterMs: 100 })
  const ends = new Map<JobId, string[]>()
  const end = (jobId: JobId, how: string) => ends.get(jobId)!.push(how)
  let now = 0
  for (const step of steps) {
    switch (step.kind) {
      case 'offer': {
        const jobId = `j${ends.size}` as JobId
        ends.set(jobId, [])
        const arrivedAtMs = now - step.waitedMs
        const { modelId, jobClass } = step
        const expiresAtMs = now + step.waitMs
        const candidate = { jobId, modelId, jobClass, arrivedAtMs, expiresAtMs, payload: null }
        const admission = offer(queue, candidate)
        if (admission.kind === 'rejected') end(jobId, 'rejected')
        else if (admission.evicted) end(admission.evicted.jobId, 'evicted')
        break
      }
      case 'cancel': {
        const jobId = `j${step.pick}` as JobId
        if (leave(queue, jobId, 'cancelled')) end(jobId, 'cancelled')
        break
      }
      case 'take': {
        const next = inOrder(queue, step.modelId).next().value
        if (next && leave(queue, next.jobId, 'dispatched')) end(next.jobId, 'dispatched')
        break
      }
      case 'pass':
        now += step.ms
        for (const job of expire(queue, now)) end(job.jobId, 'expired')
        promote(queue, now)
        break
    }
    check(queue)
  }
  return { queue, ends }
}

const scripts = fc.array(stepArbitrary, { maxLength: 120 })

describe('the admission queue, whatever happens to it', () => {
  it('ends every job that left in exactly one outcome, and counts it there', () => {
    fc.assert(
      fc.property(policyArbitrary, scripts, (policy, steps) => {
        const { queue, ends } = play(policy, steps, () => undefined)
        const tally = { dispatched: 0, evicted: 0, cancelled: 0, expired: 0, rejected: 0 }
        for (const [jobId, how] of ends) {
          expect(how).toHaveLength(queue.jobs.has(jobId) ? 0 : 1)
          for (const outcome of how as (keyof typeof tally)[]) tally[outcome] += 1
        }
        expect(queue.outcomes).toEqual(tally)
      }),
    )
  })

  it('[004-25a] stays within its bounds and never counts below zero', () => {
    fc.assert(
      fc.property(policyArbitrary, scripts, (policy, steps) => {
        play(policy, steps, (queue) => {
          const bound = policy === 'reject' ? CAPACITY : 2 * CAPACITY
          for (const { counts, interactive, batch } of queue.models.values()) {
            expect(counts.interactive).toBeGreaterThanOrEqual(0)
            expect(counts.interactive).toBeLessThanOrEqual(bound)
            expect(counts.batch).toBeGreaterThanOrEqual(0)
            expect(counts.batch).toBeLessThanOrEqual(CAPACITY)
            expect(counts.interactive + counts.batch).toBeLessThanOrEqual(2 * CAPACITY)
            expect(interactive.length + batch.length).toBe(counts.interactive + counts.batch)
          }
        })
      }),
    )
  })

  it('serves each class of a model by arrival, and tells positions as it serves', () => {
    fc.assert(
      fc.property(policyArbitrary, scripts, (policy, steps) => {
        play(policy, steps, (queue) => {
          for (const modelId of MODELS) {
            const jobs = [...inOrder(queue, modelId)]
            expect(jobs.map(({ jobId }) => jobsAhead(queue, jobId))).toEqual(jobs.map((_, n) => n))
            for (const jobClass of ['interactive', 'batch'] as const) {
              const arrivals = jobs
                .filter((job) => job.jobClass === jobClass)
                .map((job) => job.arrivedAtMs)
              expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b))
            }
          }
        })
      }),
    )
  })
})
