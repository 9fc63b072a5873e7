import { describe, expect, it } from '@jest/globals'
import type { LeaseOutcome } from './job-spec.ts'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const fleet = (draft = {}): Rig => {
  const rig = createRig()
  rig.joinHost(
    'h1',
    ['a', 'b'].map((id) => pool(id, { slotsTotal: 2, engineVersion: 'v7', ...draft })),
  )
  rig.joinGateway(1, 'gw')
  rig.take(1)
  return rig
}
const assigned = (rig: Rig, job: Parameters<Rig['coordinator']['onAcquire']>[1]) => {
  rig.coordinator.onAcquire(1, job)
  const signal = rig.take(1).find(({ kind }) => kind === 'assigned')
  expect(signal).toBeDefined()
  return signal as Extract<typeof signal, { kind: 'assigned' }>
}
/** A prompt of eight blocks, all begun the same way. */
const prompt = { prefix: Uint32Array.from({ length: 16 }, (_, word) => word + 1) }
const talk = (jobId: string) => ask(jobId, { ...prompt, promptTokens: 4_096 })

describe('what a lease was found to be', () => {
  it('[004-15a] warm, once the pool has the beginning of the prompt', async () => {
    const rig = fleet()
    const first = assigned(rig, talk('j1'))
    rig.coordinator.onRelease(1, first.leaseId, completed)
    await rig.pass(60_000, 'h1')
    const second = assigned(rig, talk('j2'))
    expect([first.kvWarmth, second.kvWarmth, second.poolId]).toEqual([false, true, first.poolId])
  })

  it.each<[LeaseOutcome, boolean]>([
    ['refused', false],
    ['unused', false],
    ['client_gone', true],
  ])('after an outcome of %s the pool is warm: %s', async (outcome, isWarm) => {
    const rig = fleet()
    const { leaseId } = assigned(rig, talk('j1'))
    rig.coordinator.onRelease(1, leaseId, { ...completed, outcome })
    await rig.pass(60_000, 'h1')
    expect(assigned(rig, talk('j2')).kvWarmth).toBe(isWarm)
  })

  it('says nothing of the speed of an engine that refused it, nor that it has the prompt', async () => {
    const rig = fleet()
    const before = assigned(rig, talk('first'))
    const refused = { outcome: 'engine_error', tokensIn: 0, tokensOut: 0, decodeMs: 0 } as const
    rig.coordinator.onRelease(1, before.leaseId, { ...refused, firstTokenMs: 2 })
    for (let n = 0; n < 50; n += 1) {
      const { leaseId } = assigned(rig, talk(`j${n}`))
      rig.coordinator.onRelease(1, leaseId, { ...refused, firstTokenMs: 2 })
    }
    await rig.pass(60_000, 'h1')
    const { predictedEndMs, kvWarmth } = assigned(rig, talk('last'))
    expect([predictedEndMs, kvWarmth]).toEqual([before.predictedEndMs, false])
  })

  it('of an engine and its version', () => {
    expect(assigned(fleet(), ask('j1'))).toMatchObject({ engine: 'sim', engineVersion: 'v7' })
  })
})

describe('the seed of a lease', () => {
  const strict = { isStrict: true, slotsTotal: 1 }

  it('[004-11a] is that of its strict job, logged and told', () => {
    const rig = fleet(strict)
    expect(assigned(rig, ask('j1', { isStrict: true, seed: 5n })).seed).toBe(5n)
    expect(rig.events).toContainEqual(expect.objectContaining({ kind: 'job_ended', seed: 5n }))
  })

  it('[004-11a] is minted where the job has none, and leads to the same pool again', async () => {
    const rig = fleet(strict)
    const first = assigned(rig, ask('j1', { isStrict: true }))
    rig.coordinator.onRelease(1, first.leaseId, completed)
    await rig.pass(60_000, 'h1')
    const again = assigned(rig, ask('j2', { isStrict: true, seed: first.seed! }))
    expect(again.poolId).toBe(first.poolId)
  })

  it('is absent for a job that is not strict', () => {
    expect(assigned(fleet(), ask('j1', { seed: 5n }))).not.toHaveProperty('seed')
  })
})
