import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createFleetView, foldSnapshot, markKeyed, reserve, type FleetView } from '@berth/fleet'
import { hostSnapshot } from '@berth/fleet/testing'
import type { HostId, PoolId } from '@berth/kernel'
import { noteGrant } from './evidence.ts'
import { explain } from './explain.ts'
import { ask, isFeasible, judge } from './judge.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { tally } from './tally.ts'
import { plainJob } from './testing/job.ts'
import { GIB, RIG_DEVICES, rigPool } from './testing/reference-rig.ts'

const IDS = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5'] as PoolId[]
const oneOf = <T>(...values: T[]) => fc.constantFrom(...values)
const speed = (tokensPerS: number) => ({ tokensPerS, firstTokenMs: 100, samples: 1 })

const poolArbitrary = fc.record({
  isReady: oneOf(true, true, true, false),
  state: oneOf('ready', 'ready', 'ready', 'failed') as fc.Arbitrary<'ready'>,
  slotsTotal: oneOf(1, 2, 4),
  taken: oneOf(0, 0, 1, 2),
  contextLength: oneOf(0, 100, 1_000),
  deviceMask: oneOf(['0'], ['1'], ['0', '1'], ['cpu']),
  deviceSplit: oneOf<number[]>([], [2, 1]),
  isStrict: fc.boolean(),
  models: oneOf(['m'], ['m'], ['x'], ['x', 'm']),
  kv: oneOf({}, { kvTotalBytes: 8 * GIB, kvFreeBytes: 3 * GIB }),
  performance: oneOf(speed(10), speed(10), speed(20)),
})
type Pool = typeof poolArbitrary extends fc.Arbitrary<infer T> ? T : never

const CHAIN = Uint32Array.from([1, 1, 2, 2, 3, 3])
const jobArbitrary: fc.Arbitrary<Partial<PlacementJob>> = fc
  .record({
    requiredCtx: oneOf(0, 0, 500),
    promptTokens: oneOf(0, 1_500),
    prefix: oneOf(CHAIN, new Uint32Array()),
    kvHint: oneOf('none', 'none', 'reuse', 'cold'),
    preferPools: oneOf([], [], [IDS[1]!, IDS[2]!]),
    allowFallback: fc.boolean(),
    avoidPools: oneOf([], [], [IDS[2]!]),
    requireDeviceMask: oneOf<string[]>([], [], ['0']),
    minVramBytes: oneOf(0, 0, 10 * GIB, 20 * GIB),
    isStrict: oneOf(false, false, true),
    overrides: oneOf<Partial<PlacementJob>>(
      {},
      { pinPoolId: IDS[0]! },
      { warmPoolId: IDS[3]! },
      { estKvBytes: 4 * GIB },
      { seed: 7n },
    ),
  })
  .map(({ overrides, ...draft }) => ({ ...draft, ...overrides }) as Partial<PlacementJob>)

/** Every pool its own host, in this order; some hold the prompt's beginning. */
const build = (pools: readonly Pool[]): FleetView => {
  const view = createFleetView()
  for (const [at, { taken, kv, ...draft }] of pools.entries()) {
    const poolId = IDS[at]!
    const pool = rigPool(poolId, { ...draft, ...kv })
    foldSnapshot(view, hostSnapshot(`h${at}`, [pool], { devices: RIG_DEVICES }), 0)
    markKeyed(view, `h${at}` as HostId, 1)
    for (let slot = 0; slot < taken; slot++) reserve(view, poolId)
    const held = plainJob({ prefix: CHAIN.slice(0, 2 * (at % 3)), promptTokens: 600 })
    if (at % 3 > 0) noteGrant(view, held, view.pools.get(poolId)!, 0)
  }
  return view
}
const fleet = fc.array(poolArbitrary, { maxLength: IDS.length })

/** All that core believes; not what a decision wrote down for itself to be quicker. */
const beliefs = ({ prefixes, speedRows: _, ...view }: FleetView) =>
  structuredClone({
    ...view,
    hosts: [...view.hosts.values()].map((host) => ({ ...host, pools: [...host.pools.keys()] })),
    pools: [...view.pools.values()].map((pool) => ({ ...pool, host: pool.host.hostId })),
    poolsOfModel: [...view.poolsOfModel].map(([id, pools]) => [
      id,
      pools.map((pool) => pool.poolId),
    ]),
    prefixes: [prefixes.blocks, prefixes.shelves, prefixes.rows],
  })

describe('explain', () => {
  it('[004-14b][004-02c] chooses as place does, and leads its list with the choice', () => {
    fc.assert(
      fc.property(fleet, jobArbitrary, (pools, draft) => {
        const view = build(pools)
        const said = explain(view, plainJob(draft), POLICY, 0)
        const decision = place(view, plainJob(draft), POLICY, 0)
        expect(said.decision).toStrictEqual(decision)
        fc.pre(decision.kind === 'assigned')
        expect(said.candidates[0]).toMatchObject({
          ...{ poolId: decision.pool.poolId, rank: 1, reason: 'FEASIBLE' },
          predictedEndMs: decision.predictedEndMs,
        })
      }),
      { numRuns: 400 },
    )
  })

  it('[004-14b] leaves what core believes as it was', () => {
    fc.assert(
      fc.property(fleet, jobArbitrary, (pools, draft) => {
        const view = build(pools)
        const before = beliefs(view)
        explain(view, plainJob(draft), POLICY, 0)
        tally(
          { view, job: plainJob(draft), policy: POLICY, now: 0 },
          place(view, plainJob(draft), POLICY, 0),
        )
        expect(beliefs(view)).toEqual(before)
      }),
    )
  })

  it('[004-03a] shows terms whose sum is the predicted end, to a millisecond', () => {
    fc.assert(
      fc.property(fleet, jobArbitrary, (pools, draft) => {
        const { candidates } = explain(build(pools), plainJob(draft), POLICY, 0)
        for (const { score, predictedEndMs } of candidates) {
          const readMs = score.firstTokenMs * score.uncachedFraction
          const sum = score.admissionMs + score.queueAheadMs + readMs + score.decodeMs
          expect(Math.abs(sum - predictedEndMs)).toBeLessThanOrEqual(0.51)
        }
      }),
    )
  })

  it('[004-14b] is counted by the decision log as it counts itself', () => {
    fc.assert(
      fc.property(fleet, jobArbitrary, (pools, draft) => {
        const [view, job] = [build(pools), plainJob(draft)]
        const said = explain(view, job, POLICY, 0)
        const counted = tally({ view, job, policy: POLICY, now: 0 }, said.decision)
        const listing = said.candidates.filter(({ poolId }) =>
          view.pools.get(poolId)!.residencies.has(job.modelId),
        )
        const feasible = listing.filter(({ reason }) => reason === 'FEASIBLE')
        expect(counted).toMatchObject({ candidates: listing.length, feasible: feasible.length })
        const left = counted.filters.reduce((sum, { pools: n }) => sum + n, 0)
        expect(left).toBe(listing.length - feasible.length)
        expect(counted.tieBreak).toBe(said.tieBreak)
      }),
      { numRuns: 400 },
    )
  })

  it('[004-27b] the quick way to judge a pool never disagrees with the one that says why', () => {
    fc.assert(
      fc.property(fleet, jobArbitrary, (pools, draft) => {
        const view = build(pools)
        const question = ask(view, plainJob(draft), POLICY, 0)
        for (const pool of view.poolsOfModel.get(question.job.modelId) ?? []) {
          expect(isFeasible(question, pool)).toBe(judge(question, pool).reason === 'FEASIBLE')
        }
      }),
      { numRuns: 400 },
    )
  })
})
