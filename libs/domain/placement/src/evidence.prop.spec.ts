import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  createFleetView,
  foldSnapshot,
  markKeyed,
  prefixIndexBytes,
  release,
  reserve,
  speedClassBytes,
  type FleetView,
} from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import type { HostId, ModelId } from '@berth/kernel'
import { noteGrant, noteRelease, noteVoid, type GrantNote } from './evidence.ts'
import { place } from './place.ts'
import { AGELESS, chainOf } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

const POOLS = [0, 1, 2, 3]

const build = (order: readonly number[]): FleetView => {
  const view = createFleetView()
  for (const at of order) {
    const pool = poolSnapshot(`pool-${at}`, { slotsTotal: 2, models: ['m', 'n'] })
    foldSnapshot(view, hostSnapshot(`h${at}`, [pool]), 0)
    markKeyed(view, `h${at}` as HostId, 1)
  }
  return view
}

const stepArbitrary = fc.record({
  kind: fc.constantFrom('grant', 'grant', 'grant', 'release', 'void', 'restart'),
  pick: fc.nat(20),
  afterMs: fc.nat(5_000),
  blocks: fc.nat(6),
  root: fc.nat(2),
  model: fc.constantFrom('m', 'n'),
  promptTokens: fc.constantFrom(0, 1, 700, 3_000),
  firstTokenMs: fc.constantFrom(0, 10, 90_000),
  tokensOut: fc.constantFrom(0, 1, 50),
})
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never

interface Run {
  readonly view: FleetView
  readonly notes: GrantNote[]
  readonly trace: unknown[]
  now: number
  revision: number
}

const take = (run: Run, { model, blocks, root, promptTokens }: Step) => {
  const { view, notes, trace, now } = run
  const prefix = chainOf(blocks, root * 1_000)
  const job = plainJob({ modelId: model as ModelId, prefix, promptTokens })
  const decision = place(view, job, AGELESS, now)
  trace.push(decision.kind === 'assigned' ? decision.pool.poolId : decision)
  if (decision.kind !== 'assigned') return
  expect(reserve(view, decision.pool.poolId)).toBe(true)
  notes.push(noteGrant(view, job, decision.pool, now))
}

const giveBack = (run: Run, step: Step) => {
  const { view, notes, now } = run
  const [note] = notes.splice(step.pick % Math.max(1, notes.length), 1)
  if (!note) return
  release(view, note.poolId)
  const { firstTokenMs, tokensOut } = step
  const measured = { tokensIn: 9, tokensOut, firstTokenMs, decodeMs: 500, isComplete: true }
  if (step.kind === 'void') noteVoid(view, note, now)
  else noteRelease(view, note, measured, now)
}

const restart = (run: Run, { pick }: Step) => {
  const at = POOLS[pick % POOLS.length]!
  run.revision += 1
  const draft = { slotsTotal: 2, models: ['m', 'n'], instanceId: `life-${run.revision}` }
  const host = hostSnapshot(`h${at}`, [poolSnapshot(`pool-${at}`, draft)], {
    revision: run.revision,
  })
  foldSnapshot(run.view, host, run.now)
}

const play = (order: readonly number[], steps: readonly Step[]): Run => {
  const run: Run = { view: build(order), notes: [], trace: [], now: 0, revision: 1 }
  for (const step of steps) {
    run.now += step.afterMs
    if (step.kind === 'grant') take(run, step)
    else if (step.kind === 'restart') restart(run, step)
    else giveBack(run, step)
  }
  return run
}

const stepsArbitrary = fc.array(stepArbitrary, { maxLength: 60 })

describe('evidence under any interleaving of grants, releases, voids and restarts', () => {
  it('never makes placement choose a pool without a free slot', () => {
    fc.assert(
      fc.property(stepsArbitrary, (steps) => {
        const { view, notes } = play(POOLS, steps)
        for (const pool of view.pools.values()) {
          const held = notes.filter(({ poolId }) => poolId === pool.poolId).length
          expect(pool.reserved).toBe(held)
          expect(pool.reserved).toBeLessThanOrEqual(pool.slotsTotal)
        }
      }),
    )
  })

  it('gives the same answers for any order of the pools', () => {
    fc.assert(
      fc.property(
        stepsArbitrary,
        fc.shuffledSubarray(POOLS, { minLength: POOLS.length }),
        (steps, order) => {
          expect(play(order, steps).trace).toEqual(play(POOLS, steps).trace)
        },
      ),
    )
  })

  it('counts no grant that is over, and keeps every number a number', () => {
    fc.assert(
      fc.property(stepsArbitrary, (steps) => {
        const run = play(POOLS, steps)
        for (const note of run.notes) {
          release(run.view, note.poolId)
          noteVoid(run.view, note, run.now)
        }
        for (const { evidence } of run.view.pools.values()) {
          const { openGrants, openEndsMs, meanServiceMs, readBias, decodeBias } = evidence
          expect([openGrants, openEndsMs]).toEqual([0, 0])
          for (const number of [meanServiceMs, readBias.log, decodeBias.log]) {
            expect(Number.isFinite(number)).toBe(true)
          }
        }
      }),
    )
  })

  it('changes nothing by being asked', () => {
    fc.assert(
      fc.property(stepsArbitrary, stepArbitrary, (steps, last) => {
        const { view, now } = play(POOLS, steps)
        const ask = (policy: typeof AGELESS) =>
          place(view, plainJob({ promptTokens: last.promptTokens }), policy, now)
        const before = ask(AGELESS)
        ask({ ...AGELESS, defaultSpeeds: { ...AGELESS.defaultSpeeds } })
        place(view, plainJob({ modelId: 'n' as ModelId, promptTokens: 9 }), AGELESS, now)
        expect(ask(AGELESS)).toEqual(before)
      }),
    )
  })
})

describe('the memory of a pool', () => {
  it('stays below 10 KB besides its prefixes, whatever models it served', () => {
    const models = Array.from({ length: 20 }, (_, n) => `m${n}`)
    const view = createFleetView()
    foldSnapshot(view, hostSnapshot('h', [poolSnapshot('a', { slotsTotal: 99, models })]), 0)
    markKeyed(view, 'h' as HostId, 1)
    const [pool] = view.pools.values()
    for (const modelId of models) {
      const job = plainJob({ modelId: modelId as ModelId, promptTokens: 900, prefix: chainOf(9) })
      const note = noteGrant(view, job, pool!, 0)
      const measured = { tokensIn: 9, tokensOut: 9, firstTokenMs: 5, decodeMs: 50 }
      noteRelease(view, note, { ...measured, isComplete: true }, 100)
    }
    const { speeds, errors } = pool!.evidence
    const rows = view.speedRows.values.byteLength / view.pools.size
    expect(speedClassBytes(speeds) + errors.byteLength + rows).toBeLessThan(10_000)
    expect(prefixIndexBytes(view.prefixes)).toBeLessThanOrEqual(64 * 1_024)
  })
})
