import { describe, expect, it } from '@jest/globals'
import type { JobId, ModelId } from '@berth/kernel'
import { createDecisionLog, DECISIONS_MAX, type DecisionEntry } from './decision-log.ts'

const entry = (jobId: string, correlationId: string, attempts = 1): DecisionEntry => ({
  ...{ jobId: jobId as JobId, correlationId, modelId: 'm' as ModelId, decidedAtMs: 0, attempts },
  ...{ kind: 'wait', poolId: undefined, reason: 'NO_CAPACITY', predictedEndMs: 0 },
  ...{ isPinned: false, isFallback: false },
  tally: { candidates: 1, feasible: 0, filters: [], tieBreak: undefined },
})

describe('the decision log', () => {
  it('[004-14b] finds the last decision by job, and by the request it belongs to', () => {
    const log = createDecisionLog()
    log.note(entry('a', 'c'))
    log.note(entry('b', 'c'))
    log.note(entry('a', 'x', 2))
    expect(log.ofJob('a')).toMatchObject({ attempts: 2 })
    expect(log.ofCorrelation('c')).toMatchObject({ jobId: 'b' })
    expect(log.ofCorrelation('x')).toMatchObject({ jobId: 'a' })
    expect([log.ofJob('c'), log.ofCorrelation('a')]).toEqual([undefined, undefined])
  })

  it('[004-14b] remembers the last thousand jobs, those decided again as the youngest', () => {
    const log = createDecisionLog()
    for (let n = 0; n < DECISIONS_MAX; n++) log.note(entry(`j${n}`, `c${n}`))
    log.note(entry('j0', 'c0', 2))
    log.note(entry('new', 'n'))
    expect([log.ofJob('j0')?.attempts, log.ofJob('j1'), log.ofCorrelation('c1')]).toEqual([
      2,
      undefined,
      undefined,
    ])
    expect(log.ofJob('j2')).toBeDefined()
  })

  it('does not find the jobs of requests that have no correlation id by none', () => {
    const log = createDecisionLog()
    log.note(entry('a', ''))
    expect(log.ofCorrelation('')).toBeUndefined()
  })
})
