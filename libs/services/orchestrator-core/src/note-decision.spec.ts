import { describe, expect, it } from '@jest/globals'
import type { PoolId } from '@berth/kernel'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const rigOf = (): Rig => {
  const rig = createRig()
  rig.joinHost('h1', [pool('p1'), pool('p2', { contextLength: 100 })])
  rig.joinGateway(1, 'gw')
  rig.take(1)
  return rig
}
const decisions = (rig: Rig) =>
  rig.events.flatMap((event) => (event.kind === 'decided' ? [event.entry] : []))
const ofJob = (rig: Rig, jobId: string) => rig.coordinator.core.decisions.ofJob(jobId)

describe('what core remembers of its decisions', () => {
  it('[004-14b][004-26a2] is where a job went, what else there was, and who else was asked', () => {
    const rig = rigOf()
    rig.coordinator.onAcquire(1, ask('j1', { requiredCtx: 500, correlationId: 'r1' }))
    const entry = ofJob(rig, 'j1')
    expect(entry).toMatchObject({
      ...{ jobId: 'j1', correlationId: 'r1', modelId: 'm', kind: 'assigned', poolId: 'p1' },
      ...{ attempts: 1, isPinned: false, isFallback: false, reason: undefined },
      tally: {
        ...{ candidates: 2, feasible: 1, tieBreak: undefined },
        filters: [{ reason: 'INSUFFICIENT_CTX', pools: 1 }],
      },
    })
    expect(rig.coordinator.core.decisions.ofCorrelation('r1')).toBe(entry)
    expect(decisions(rig)).toEqual([entry])
  })

  it('[004-14b] is the last one of a job that was decided again and again', async () => {
    const rig = rigOf()
    const pinned = { pinPoolId: 'p1' as PoolId }
    rig.coordinator.onAcquire(1, ask('j1', pinned))
    rig.coordinator.onAcquire(1, ask('j2', pinned))
    const waiting = ofJob(rig, 'j2')
    expect(waiting).toMatchObject({ kind: 'wait', reason: 'NO_CAPACITY', isPinned: true })
    await rig.pass(600, 'h1')
    const later = ofJob(rig, 'j2')!
    expect(later.attempts).toBeGreaterThan(waiting!.attempts)
    expect(later.tally).toBe(waiting!.tally)
    const { leaseId } = [...rig.coordinator.core.leases.byId.values()][0]!
    rig.coordinator.onRelease(1, leaseId, completed)
    expect(ofJob(rig, 'j2')).toMatchObject({ kind: 'assigned', poolId: 'p1' })
    expect(ofJob(rig, 'j2')!.attempts).toBeGreaterThan(later.attempts)
  })

  it('[004-14b] is why a job can never run', () => {
    const rig = rigOf()
    rig.coordinator.onAcquire(1, ask('j1', { requiredCtx: 9_999 }))
    expect(ofJob(rig, 'j1')).toMatchObject({
      ...{ kind: 'impossible', reason: 'INSUFFICIENT_CTX', poolId: undefined },
      tally: { feasible: 0, filters: [{ reason: 'INSUFFICIENT_CTX', pools: 2 }] },
    })
  })

  it('is nothing of a job that was only explained', () => {
    const rig = rigOf()
    const { decision } = rig.coordinator.explain(ask('j1').spec)
    expect(decision.kind).toBe('assigned')
    expect([ofJob(rig, 'j1'), decisions(rig), rig.take(1)]).toEqual([undefined, [], []])
    expect(rig.coordinator.core.leases.byId.size).toBe(0)
  })
})
