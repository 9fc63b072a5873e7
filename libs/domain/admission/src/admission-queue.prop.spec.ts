import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { JobId, ModelId } from '@berth/kernel'
import { DEFAULT_ADMISSION_POLICY, type AdmissionPolicy } from './admission-policy.ts'
import { createAdmissionQueue, leave, offer, type AdmissionQueue } from './admission-queue.ts'
import { expire, inOrder, jobsAhead, promote } from './order.ts'
import { endService, serve, type ServiceNote } from './service-note.ts'
import { jobOf } from './testing/job-of.ts'
import {
  addPlain,
  createPlainQueue,
  findPlain,
  plainOrder,
  promotePlain,
  servePlain,
  takeOutPlain,
  type PlainQueue,
} from './testing/plain-queue.ts'
import type { JobClass, JobOffer } from './waiting-job.ts'

const CAPACITY = 4
const MODELS = ['m', 'n'] as ModelId[]
const TENANTS = ['', 'a', 'b', 'heavy']
const CLASSES = ['interactive', 'batch'] as const

/** Weights are powers of two, so that counters are exact. */
const policies = fc
  .record({
    fullPolicy: fc.constantFrom('reject' as const, 'drop-lru' as const),
    priorityWeights: fc.constantFrom(undefined, { interactive: 4, batch: 1 }),
  })
  .map(({ fullPolicy, priorityWeights }): AdmissionPolicy => ({
    ...DEFAULT_ADMISSION_POLICY,
    ...{ capacity: CAPACITY, fullPolicy, promoteAfterMs: 100, tenantWeights: { heavy: 2 } },
    ...(priorityWeights ? { priorityWeights } : {}),
  }))

interface Model {
  readonly plain: PlainQueue
  readonly ends: Map<JobId, string[]>
  readonly services: ((tokens: number) => void)[]
  now: number
}
interface Real {
  readonly queue: AdmissionQueue<null>
  readonly services: ServiceNote[]
  /** Everything it answered. */
  readonly trace: unknown[]
}
type Step = fc.Command<Model, Real>

/** A step that can always be taken, and holds the queue against the plain one afterwards. */
const step = (name: string, take: (model: Model, real: Real) => void): Step => ({
  check: () => true,
  toString: () => name,
  run: (model, real) => {
    take(model, real)
    check(model, real)
  },
})

const check = ({ plain, ends }: Model, { queue, trace }: Real) => {
  const waiting = plain.jobs
  expect(queue.jobs.size).toBe(waiting.length)
  for (const modelId of MODELS) {
    const order = [...inOrder(queue, modelId)].map(({ jobId }) => jobId)
    trace.push(order)
    expect(order).toEqual(plainOrder(plain, modelId))
    expect(order.map((jobId) => jobsAhead(queue, jobId))).toEqual(order.map((_, ahead) => ahead))
    for (const jobClass of CLASSES) {
      const held = waiting.filter((job) => job.modelId === modelId && job.jobClass === jobClass)
      expect(queue.models.get(modelId)?.counts[jobClass] ?? 0).toBe(held.length)
    }
  }
  const tally = { dispatched: 0, rejected: 0, evicted: 0, cancelled: 0, expired: 0 }
  for (const [jobId, how] of ends) {
    expect(how).toHaveLength(queue.jobs.has(jobId) ? 0 : 1)
    for (const outcome of how as (keyof typeof tally)[]) tally[outcome] += 1
  }
  expect(queue.outcomes).toEqual(tally)
}

const offerStep = fc
  .record({
    modelId: fc.constantFrom(...MODELS),
    jobClass: fc.constantFrom(...CLASSES),
    tenant: fc.constantFrom(...TENANTS),
    costTokens: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constant(4_096)),
    waitedMs: fc.constantFrom(0, 0, 0, 40),
    waitMs: fc.integer({ min: 1, max: 300 }),
    isReadmitted: fc.constantFrom(false, false, false, true),
  })
  .map(({ waitedMs, waitMs, isReadmitted, ...job }) =>
    step(`offer ${JSON.stringify(job)}`, (model, { queue, trace }) => {
      const id = `j${model.ends.size}`
      const times = { arrivedAtMs: model.now - waitedMs, expiresAtMs: model.now + waitMs }
      const candidate: JobOffer<null> = jobOf(id, { ...job, ...times })
      model.ends.set(candidate.jobId, [])
      const oldest = oldestBatch(model, job.modelId)
      const before = held(model, job.modelId, job.jobClass)
      const admission = offer(queue, candidate, { isReadmitted })
      trace.push(admission.kind)
      if (admission.kind === 'rejected') {
        model.ends.get(candidate.jobId)!.push('rejected')
        return
      }
      // Room there was, or somebody made it.
      const bound = CAPACITY * (isReadmitted ? 2 : 1) * (job.jobClass === 'interactive' ? 2 : 1)
      expect(before < bound || admission.evicted !== undefined).toBe(true)
      expect(admission.evicted?.jobId).toBe(admission.evicted && oldest?.jobId)
      if (admission.evicted) {
        takeOutPlain(model.plain, findPlain(model.plain, admission.evicted.jobId)!)
        model.ends.get(admission.evicted.jobId)!.push('evicted')
      }
      addPlain(model.plain, candidate)
    }),
  )

const oldestBatch = ({ plain }: Model, modelId: ModelId) =>
  plain.jobs
    .filter((job) => job.modelId === modelId && job.line === 'batch')
    .sort((a, b) => a.orderMs - b.orderMs || a.sequence - b.sequence)[0]

const held = ({ plain }: Model, modelId: ModelId, jobClass: JobClass): number =>
  plain.jobs.filter((job) => job.modelId === modelId && job.jobClass === jobClass).length

const cancelStep = fc.nat(40).map((pick) =>
  step(`cancel j${pick}`, (model, { queue, trace }) => {
    const jobId = `j${pick}` as JobId
    const waiting = findPlain(model.plain, jobId)
    const left = leave(queue, jobId, 'cancelled')
    trace.push(left?.jobId)
    expect(left?.jobId).toBe(waiting?.jobId)
    expect(leave(queue, jobId, 'cancelled')).toBeUndefined()
    if (!waiting) return
    takeOutPlain(model.plain, waiting)
    model.ends.get(jobId)!.push('cancelled')
  }),
)

/** Mostly the next job; sometimes one behind it, as when those before it cannot go. */
const serveStep = fc
  .record({ modelId: fc.constantFrom(...MODELS), skip: fc.constantFrom(0, 0, 0, 1, 2) })
  .map(({ modelId, skip }) =>
    step(`serve ${modelId} +${skip}`, (model, { queue, services }) => {
      const next = [...inOrder(queue, modelId)][skip]
      if (!next) return
      services.push(serve(queue, next.jobId)!)
      model.services.push(servePlain(model.plain, findPlain(model.plain, next.jobId)!))
      model.ends.get(next.jobId)!.push('dispatched')
    }),
  )

const endStep = fc
  .record({ pick: fc.nat(8), tokens: fc.integer({ min: 0, max: 128 }) })
  .map(({ pick, tokens }) =>
    step(`end ${pick} with ${tokens}`, (model, { queue, services }) => {
      const index = services.length === 0 ? -1 : pick % services.length
      for (const note of index < 0 ? [] : services.splice(index, 1)) {
        endService(queue, note, tokens)
        endService(queue, note, tokens)
      }
      for (const end of index < 0 ? [] : model.services.splice(index, 1)) end(tokens)
    }),
  )

const passStep = fc.integer({ min: 1, max: 60 }).map((ms) =>
  step(`pass ${ms}`, (model, { queue }) => {
    model.now += ms
    for (const { jobId } of expire(queue, model.now)) {
      takeOutPlain(model.plain, findPlain(model.plain, jobId)!)
      model.ends.get(jobId)!.push('expired')
    }
    expect(model.plain.jobs.every((job) => job.expiresAtMs > model.now)).toBe(true)
    promote(queue, model.now)
    promotePlain(model.plain, model.now)
  }),
)

const scripts = fc.commands([offerStep, offerStep, cancelStep, serveStep, endStep, passStep], {
  maxCommands: 120,
})

const play = (policy: AdmissionPolicy, steps: Iterable<Step>): Real => {
  const real: Real = { queue: createAdmissionQueue<null>(policy), services: [], trace: [] }
  const plain = createPlainQueue(policy)
  const model: Model = { plain, ends: new Map(), services: [], now: 0 }
  fc.modelRun(() => ({ model, real }), steps)
  return real
}

describe('the admission queue, whatever happens to it', () => {
  it('[004-25a] [004-25a2] [004-07b][OC-CORE-1005] does what the plain queue does, and ends each job once', () => {
    fc.assert(fc.property(policies, scripts, (policy, steps) => void play(policy, steps)))
  })

  it('[004-25a] never holds more than its bounds, nor less than nothing', () => {
    fc.assert(
      fc.property(policies, scripts, (policy, steps) => {
        const factor = policy.fullPolicy === 'drop-lru' ? 2 : 1
        const { queue } = play(policy, steps)
        for (const { counts, interactive, batch, running } of queue.models.values()) {
          expect(counts.interactive).toBeGreaterThanOrEqual(0)
          expect(counts.batch).toBeGreaterThanOrEqual(0)
          expect(running).toBeGreaterThanOrEqual(0)
          expect(counts.batch).toBeLessThanOrEqual(2 * CAPACITY)
          expect(counts.interactive).toBeLessThanOrEqual((factor + 1) * 2 * CAPACITY)
          expect(interactive.length + batch.length).toBe(counts.interactive + counts.batch)
        }
      }),
    )
  })

  it('[004-25a2] [004-06a][OC-CORE-1003] serves a class of a tenant in the order it came', () => {
    const strict = policies.filter(({ priorityWeights }) => priorityWeights === undefined)
    fc.assert(
      fc.property(strict, scripts, (policy, steps) => {
        const { queue } = play(policy, steps)
        for (const modelId of MODELS) {
          for (const tenant of TENANTS) {
            for (const jobClass of CLASSES) {
              const arrivals = [...inOrder(queue, modelId)]
                .filter((job) => job.jobClass === jobClass && job.tenant === tenant)
                .map((job) => job.arrivedAtMs)
              expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b))
            }
          }
        }
      }),
    )
  })

  it('leaves the same trace for the same events', () => {
    fc.assert(
      fc.property(policies, scripts, (policy, steps) => {
        const script = [...steps]
        expect(play(policy, script).trace).toEqual(play(policy, script).trace)
      }),
    )
  })

  it('[004-07b] moves whoever stood behind a cancelled job of its tenant up by exactly one', () => {
    const classes = fc.array(fc.constantFrom(...CLASSES), { minLength: 1, maxLength: 24 })
    fc.assert(
      fc.property(classes, fc.nat(), (drafts, pick) => {
        const queue = createAdmissionQueue<null>()
        drafts.forEach((jobClass, n) => offer(queue, jobOf(`j${n}`, { jobClass, arrivedAtMs: n })))
        const ids = [...inOrder(queue, MODELS[0]!)].map(({ jobId }) => jobId)
        const place = pick % ids.length
        leave(queue, ids[place]!, 'cancelled')
        const moved = ids.map((jobId) => jobsAhead(queue, jobId))
        expect(moved).toEqual(ids.map((_, n) => (n < place ? n : n === place ? undefined : n - 1)))
      }),
    )
  })

  it('leaves those before a cancelled job where they are, of whichever tenant they are', () => {
    const jobs = fc.array(
      fc.record({
        tenant: fc.constantFrom(...TENANTS),
        jobClass: fc.constantFrom(...CLASSES),
        costTokens: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constant(4_096)),
      }),
      { minLength: 1, maxLength: 24 },
    )
    fc.assert(
      fc.property(jobs, fc.nat(), (drafts, pick) => {
        const queue = createAdmissionQueue<null>()
        drafts.forEach((draft, n) => offer(queue, jobOf(`j${n}`, { ...draft, arrivedAtMs: n })))
        const ids = [...inOrder(queue, MODELS[0]!)].map(({ jobId }) => jobId)
        const place = pick % ids.length
        leave(queue, ids[place]!, 'cancelled')
        const after = [...inOrder(queue, MODELS[0]!)].map(({ jobId }) => jobId)
        expect(after.slice(0, place)).toEqual(ids.slice(0, place))
        expect(after).toHaveLength(ids.length - 1)
      }),
    )
  })
})
