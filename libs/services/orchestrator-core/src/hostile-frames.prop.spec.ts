import { describe, expect, it } from '@jest/globals'
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AcquireSchema,
  ExplainResponseSchema,
  HelloSchema,
  HostSnapshotSchema,
  PoolState,
  ReleaseSchema,
  Residency,
  SessionResponseSchema,
  type ModelDimensionsSchema,
  type PoolSchema,
} from '@berth/contract'
import fc from 'fast-check'
import type { LeaseId } from '@berth/kernel'
import { ask, createRig, type Rig } from './testing/rig.ts'
import { fromExplanation } from './wire-explanation.ts'
import { toAsk, toHello, toLeaseResult } from './wire-job.ts'
import { toHostSnapshot } from './wire-snapshot.ts'
import { toFrame, toWhole } from './wire-signal.ts'

const U32_MAX = 2 ** 32 - 1
const U64_MAX = 2n ** 64n - 1n
const u32 = fc.constantFrom(0, 1, 7, 1_000, 2 ** 31, U32_MAX)
const u64 = fc.constantFrom(0n, 1n, 1_000n, 2n ** 53n, 2n ** 63n, U64_MAX)
const double = fc.constantFrom(0, 1, -1, 0.5, 1e308, Number.MIN_VALUE, NaN, Infinity, -Infinity)
const text = fc.constantFrom('', 'x', '__proto__', '\ud800', 'é'.repeat(300), '../*>')
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const budget = fc.record({ tokens: u64, timeMs: u64, costMicros: u64 }, { requiredKeys: [] })

const job = fc.record(
  {
    maxTokens: u32,
    promptTokens: u32,
    answers: u32,
    requiredCtx: u32,
    expectedTokens: u32,
    deadlineMs: u32,
    maxWaitMs: u32,
    kvHint: fc.nat(9),
    class: fc.nat(9),
    tenant: text,
    keyId: fc.constantFrom('', 'k'),
    sessionId: fc.constantFrom('', 's', 's/t', '__proto__'),
    isStrict: fc.boolean(),
    seed: u64,
    estKvBytes: u64,
    prefixChain: fc.uint8Array({ maxLength: 40 }),
    requirements: fc.record({ minComputeCap: double, minVramBytes: u64 }, { requiredKeys: [] }),
    budget,
  },
  { requiredKeys: ['tenant', 'keyId', 'sessionId'] },
)
const acquire = fc.record({ job, waitedMs: u32, attempt: u32 })
const release = fc.record({
  ...{ outcome: fc.nat(9), tokensIn: u32, tokensOut: u32 },
  ...{ firstTokenMs: double, decodeMs: double, sequence: maybe(u64) },
})
const performance = fc.record({
  ...{ tokensPerS: double, firstTokenMs: double, samples: u32, prefillTokensPerS: double },
  cells: fc.array(
    fc.record({
      ...{ modelId: fc.constant('m'), promptBand: u32, occupancyBand: u32 },
      ...{ tokensPerS: double, firstTokenMs: double, samples: u32 },
    }),
    { maxLength: 3 },
  ),
})
const dimensions = fc.record({
  ...{ layers: u32, kvHeads: u32, keyDim: u32, valueDim: u32, kvDtypeBytes: double },
  ...{ windowLayers: u32, windowTokens: u32, latentDim: u32 },
})
const poolFacts = fc.record(
  { performance, dimensions, kvFreeBytes: u64, kvTotalBytes: u64, contextLength: u32 },
  { requiredKeys: [] },
)
const step = fc.oneof(
  fc.record({ kind: fc.constant('acquire' as const), id: fc.nat(3), acquire }),
  fc.record({ kind: fc.constant('release' as const), at: fc.nat(3), release }),
  fc.record({ kind: fc.constant('forge' as const), by: fc.nat(1), release }),
  fc.record({ kind: fc.constant('cancel' as const), id: fc.nat(3) }),
  fc.record({ kind: fc.constant('host' as const), poolFacts }),
  fc.record({ kind: fc.constant('hello' as const), unsettled: release, session: u64, budget }),
  fc.record({ kind: fc.constant('tick' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

type PoolFacts = Extract<MessageInitShape<typeof PoolSchema>, { $typeName?: never }> & {
  readonly dimensions?: MessageInitShape<typeof ModelDimensionsSchema>
}

/** A leader, one host and two gateways, as frames reach and leave it. */
const createWorld = () => {
  const rig = createRig({}, true, undefined, {
    budgetOfKey: () => ({ tokensPerDay: 1_000_000, requestsPerMinute: 1_000 }),
  })
  const held: LeaseId[] = []
  const terms = { leaseTtlMs: 1, maxOutstanding: 9, heartbeatIntervalMs: 1, heartbeatTimeoutMs: 1 }
  let revision = 0n
  const world = {
    rig,
    held,
    greet: (session: number, draft: object = {}) =>
      rig.coordinator.onHello(
        session,
        toHello(
          create(HelloSchema, { gatewayId: `gw${session}`, session: BigInt(session), ...draft }),
        ),
      ),
    publish: ({ dimensions: shape, ...rest }: PoolFacts = {}) => {
      const wire = create(HostSnapshotSchema, {
        ...{ hostId: 'h1', epoch: 1n, revision: (revision += 1n) },
        pools: ['p1', 'p2'].map((poolId) => ({
          ...{ poolId, state: PoolState.READY, live: true, ready: true, slotsTotal: 2 },
          models: [
            {
              modelId: 'm',
              residency: Residency.RESIDENT,
              ...(shape ? { dimensions: shape } : {}),
            },
          ],
          supports: { routes: ['/v1/chat/completions'] },
          ...rest,
        })),
      })
      rig.coordinator.onSnapshot(toHostSnapshot(wire), wire)
      rig.coordinator.onHostKeyed('h1' as never, 1, 1)
    },
    /** Everything that was told goes onto the wire. */
    flush: () => {
      for (const session of [1, 2]) {
        const signals = rig.take(session)
        const frames = signals.map((signal) => toFrame(signal, terms))
        toBinary(SessionResponseSchema, create(SessionResponseSchema, { frames }))
        for (const one of signals) if (one.kind === 'assigned') held.push(one.leaseId)
      }
      for (const { account } of rig.coordinator.core.ledger.sessions.values()) {
        expect(() => toWhole(account.spent)).not.toThrow()
      }
    },
  }
  world.publish()
  world.greet(1)
  world.greet(2)
  rig.settleStore()
  return world
}

const play = (world: ReturnType<typeof createWorld>, one: Step) => {
  const { rig, held } = world
  const { coordinator } = rig
  switch (one.kind) {
    case 'acquire': {
      const draft = { ...one.acquire, jobId: `j${one.id}` }
      const facts = { ...draft.job, modelId: 'm', route: '/v1/chat/completions' }
      const wire = create(AcquireSchema, { ...draft, job: facts } as never)
      return attempt(() => coordinator.onAcquire(1, toAsk(wire)))
    }
    case 'release': {
      const leaseId = held.splice(one.at, 1)[0]
      const result = toLeaseResult(create(ReleaseSchema, one.release as never))
      if (leaseId) coordinator.onRelease(1, leaseId, result)
      return
    }
    case 'forge': {
      const result = toLeaseResult(create(ReleaseSchema, one.release as never))
      return coordinator.onRelease(2, held[one.by] ?? ('nobody' as LeaseId), result)
    }
    case 'cancel':
      return coordinator.onCancel(1, `j${one.id}` as never)
    case 'host':
      return world.publish(one.poolFacts)
    case 'hello': {
      const lease = { leaseId: 'l9', jobId: 'j9', poolId: 'p1', modelId: 'm', keyId: 'k' }
      const charged = { ...lease, sessionId: 's', budget: one.budget, reserved: one.budget }
      const unsettled = [{ lease: charged, release: { ...one.unsettled, leaseId: 'l9' } }]
      return attempt(() => world.greet(2, { session: one.session, unsettled }))
    }
    case 'tick':
      return coordinator.onTick()
  }
}

/** What makes no sense is refused, and changes nothing. */
const attempt = (act: () => void) => {
  try {
    act()
  } catch (error) {
    expect(error).toMatchObject({ reason: 'INVALID_PARAMS' })
  }
}

/** Whatever came before, an ordinary job is served by a healthy fleet. */
const stillServes = (rig: Rig) => {
  rig.coordinator.onAcquire(1, ask('honest'))
  return rig.take(1).find(({ kind }) => kind === 'assigned')
}

const explain = ({ coordinator }: Rig) => {
  const explanation = fromExplanation(coordinator.explain(ask('x', { requiredCtx: 7 }).spec))
  toBinary(ExplainResponseSchema, create(ExplainResponseSchema, explanation))
}

describe('a leader that is told nonsense', () => {
  it('answers with frames that can be sent, keeps its books, and serves the next job', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const world = createWorld()
        const { rig } = world
        const { core } = rig.coordinator
        for (const one of steps) {
          play(world, one)
          world.flush()
          rig.settleStore()
          world.flush()
          explain(rig)
          for (const { reserved, spent } of core.ledger.keys.values()) {
            for (const amount of [...Object.values(reserved), ...Object.values(spent)]) {
              expect(Number.isSafeInteger(amount) && amount >= 0).toBe(true)
            }
          }
        }
        for (const job of [...core.queue.jobs.keys()]) rig.coordinator.onCancel(1, job)
        // A lease that crossed its cancel is charged until its gateway says what it took.
        for (const leaseId of [...core.leases.byId.keys(), ...core.ledger.byLease.keys()]) {
          rig.coordinator.onRelease(1, leaseId, toLeaseResult(create(ReleaseSchema)))
          rig.coordinator.onRelease(2, leaseId, toLeaseResult(create(ReleaseSchema)))
        }
        expect([core.queue.jobs.size, core.leases.byId.size]).toEqual([0, 0])
        expect([core.ledger.byJob.size, core.ledger.byLease.size]).toEqual([0, 0])
        world.publish()
        rig.take(1)
        expect(stillServes(rig)).toBeDefined()
        for (const { evidence } of core.view.pools.values()) {
          expect([evidence.meanServiceMs, evidence.grantedPrefillMs].every(Number.isFinite)).toBe(
            true,
          )
        }
      }),
      { numRuns: 300 },
    )
  })
})
