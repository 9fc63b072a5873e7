import { describe, expect, it } from '@jest/globals'
import type { JobId, ModelId } from '@berth/kernel'
import { DEFAULT_ADMISSION_POLICY, type AdmissionPolicy } from './admission-policy.ts'
import { createAdmissionQueue, offer, type AdmissionQueue } from './admission-queue.ts'
import { candidates } from './candidates.ts'
import { serve } from './service-note.ts'
import { jobOf } from './testing/job-of.ts'
import type { JobClass, JobOffer } from './waiting-job.ts'

const M = 'm' as ModelId

/** Jobs are named after their tenant: `a1` is of `a`. Those in `stuck` cannot go. */
const tryAll = (
  names: readonly string[],
  stuck: readonly string[],
  { policy = {}, drafts = {}, line }: Extra = {},
) => {
  const queue: AdmissionQueue<null> = createAdmissionQueue({
    ...DEFAULT_ADMISSION_POLICY,
    ...policy,
  })
  for (const name of names) offer(queue, jobOf(name, { tenant: name[0]!, ...drafts[name] }))
  const tried: JobId[] = []
  for (const { jobId } of candidates(queue, M, line)) {
    tried.push(jobId)
    if (!stuck.includes(jobId)) serve(queue, jobId)
  }
  expect([...queue.jobs.keys()].sort()).toEqual([...stuck].sort())
  return tried
}
interface Extra {
  readonly policy?: Partial<AdmissionPolicy>
  readonly drafts?: Readonly<Record<string, Partial<JobOffer<null>>>>
  readonly line?: JobClass
}
const batch = { jobClass: 'batch' } as const

describe('the jobs that are tried', () => {
  it('take turns by tenant when all of them can go', () => {
    expect(tryAll(['a1', 'a2', 'b1', 'b2'], [])).toEqual(['a1', 'b1', 'a2', 'b2'])
  })

  it('pass over one that cannot go, at no charge: the next of its tenant follows', () => {
    expect(tryAll(['a1', 'a2', 'b1', 'a3'], ['a1'])).toEqual(['a1', 'a2', 'b1', 'a3'])
  })

  it('are each tried once, also when none can go', () => {
    const names = ['a1', 'a2', 'b1', 'c1', 'b2']
    expect(tryAll(names, names)).toEqual(['a1', 'a2', 'b1', 'c1', 'b2'])
  })

  it('are the interactive ones first, and then those of batch', () => {
    expect(tryAll(['a1', 'a2', 'b1'], ['a2'], { drafts: { a1: batch } })).toEqual([
      ...['a2', 'b1', 'a1'],
    ])
  })

  it('are of both classes by weight where classes have weights', () => {
    const policy = { priorityWeights: { interactive: 1, batch: 1 } }
    const drafts = { b1: batch, b2: batch }
    expect(tryAll(['a1', 'a2', 'b1', 'b2'], [], { policy, drafts })).toEqual([
      ...['a1', 'b1', 'a2', 'b2'],
    ])
    expect(tryAll(['a1', 'a2', 'b1', 'b2'], ['a1', 'a2'], { policy, drafts })).toEqual([
      ...['a1', 'a2', 'b1', 'b2'],
    ])
  })

  it('are of one line where only that is asked for', () => {
    const queue: AdmissionQueue<null> = createAdmissionQueue()
    offer(queue, jobOf('i'))
    offer(queue, jobOf('b', batch))
    expect([...candidates(queue, M, 'batch')].map(({ jobId }) => jobId)).toEqual(['b'])
    expect([...candidates(queue, 'x' as ModelId)]).toEqual([])
  })
})
