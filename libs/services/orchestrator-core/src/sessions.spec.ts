import { describe, expect, it } from '@jest/globals'
import { DEFAULT_SESSION_POLICY, type SessionPolicy } from '@berth/admission'
import type { GatewayId } from '@berth/kernel'
import type { LeaseOutcome, LeaseResult } from './job-spec.ts'
import { ask, createRig, liveLease, pool, type Rig, type RigParts } from './testing/rig.ts'
import { assertRead, reportSession } from './wire-session.ts'

const TTL_MS = DEFAULT_SESSION_POLICY.ttlMs
const took = (tokensOut: number, outcome: LeaseOutcome = 'completed'): LeaseResult => ({
  ...{ outcome, tokensIn: 0, tokensOut, firstTokenMs: 3, decodeMs: 7 },
})
const NAME = { tenant: 't', sessionId: 's' }

const ready = (session: Partial<SessionPolicy> = {}, parts: RigParts = {}, term = 1): Rig => {
  const policy = { session: { ...DEFAULT_SESSION_POLICY, ...session } }
  const rig = createRig(policy, false, undefined, parts)
  rig.coordinator.onLeading(term)
  rig.joinHost('h1', [pool('p1', { slotsTotal: 9 }), pool('p2', { slotsTotal: 9 })])
  rig.joinGateway(1, 'gw')
  rig.settleStore()
  rig.take(1)
  return rig
}
let sequence = 0
let jobs = 0
const acquire = (rig: Rig, spec = {}) => {
  rig.coordinator.onAcquire(1, ask(`j${(jobs += 1)}`, { ...NAME, ...spec }))
  return rig.take(1).at(-1)
}
/** One turn, from its admission to its end. */
const turn = (rig: Rig, spec = {}, result = took(10)) => {
  const told = acquire(rig, spec)
  if (told?.kind !== 'assigned') throw new Error(`the turn is ${JSON.stringify(told)}`)
  rig.coordinator.onRelease(1, told.leaseId, result, (sequence += 1))
  return told
}
const session = (rig: Rig, name = NAME) => rig.coordinator.describeSession(name)

describe('a session', () => {
  it('is begun by the first job that names it, and by no look at it', () => {
    const rig = ready()
    expect(session(rig)).toBeUndefined()
    expect(session(rig)).toBeUndefined()
    acquire(rig)
    expect(session(rig)).toEqual({
      ...{ sessionId: 's', ttlMsRemaining: TTL_MS, turns: 0, turnsMax: 8 },
      ...{ kvWarmth: false, poolId: undefined, limit: {}, remaining: {} },
    })
  })

  it('of two tenants with the same id is two', () => {
    const rig = ready()
    turn(rig)
    turn(rig, { tenant: 'other' })
    turn(rig, { tenant: 'other' })
    expect([session(rig)?.turns, session(rig, { ...NAME, tenant: 'other' })?.turns]).toEqual([1, 2])
  })

  it('[004-10a][004-02b1] is warm from its first finished turn, and goes where it is warm', () => {
    const rig = ready()
    const { poolId } = turn(rig)
    expect(session(rig)).toMatchObject({ kvWarmth: true, poolId, turns: 1 })
    expect(turn(rig, { kvHint: 'reuse' }).poolId).toBe(poolId)
  })

  it('is not warm after a turn that did not finish', () => {
    const rig = ready()
    turn(rig, {}, took(3, 'client_gone'))
    expect(session(rig)).toMatchObject({ kvWarmth: false, turns: 0 })
  })

  it('[004-10a] is warm no more once the instance is gone that it ran in', () => {
    const rig = ready()
    const { poolId } = turn(rig)
    const pools = [pool('p1', { instanceId: 'p1-2' }), pool('p2', { instanceId: 'p2-2' })]
    rig.joinHost('h1', pools, { revision: 2 })
    expect(session(rig)).toMatchObject({ kvWarmth: false, poolId })
    rig.joinHost('h1', [pool('p3')], { revision: 3 })
    expect(session(rig)).toMatchObject({ kvWarmth: false, poolId: undefined })
  })

  it('is over when it is not used for its time; looking is no use, running is', async () => {
    const rig = ready()
    turn(rig)
    const running = acquire(rig)
    if (running?.kind !== 'assigned') throw new Error('there are slots')
    await rig.pass(TTL_MS + 1_000, 'h1')
    expect(session(rig)?.ttlMsRemaining).toBe(0)
    rig.coordinator.onRelease(1, running.leaseId, took(1), (sequence += 1))
    await rig.pass(TTL_MS - 1_000, 'h1')
    expect(session(rig)?.ttlMsRemaining).toBe(1_000)
    await rig.pass(1_000, 'h1')
    expect(session(rig)).toBeUndefined()
    rig.settleStore()
    await rig.pass(200, 'h1')
    rig.settleStore()
    expect(rig.store.read('t/s')).toBeUndefined()
  })

  it('takes eight finished turns; one more ends it with a typed error, and a new one begins', () => {
    const rig = ready()
    for (let index = 0; index < 8; index++) turn(rig)
    expect(acquire(rig)).toMatchObject({
      ...{ kind: 'rejected', reason: 'ADMISSION_REJECT', policyLabel: 'session-turns' },
    })
    expect(session(rig)).toBeUndefined()
    turn(rig)
    expect(session(rig)?.turns).toBe(1)
  })

  it('counts turns that run among those it may have', () => {
    const rig = ready({ turnsMax: 2 })
    turn(rig)
    expect(acquire(rig)).toMatchObject({ kind: 'assigned' })
    expect(acquire(rig)).toMatchObject({ policyLabel: 'session-turns' })
    expect(session(rig)?.turns).toBe(1)
  })

  it('[004-09a][OC-CORE-1023] has the budget of its first turn, over all of its turns', () => {
    const rig = ready()
    turn(rig, { budget: { tokens: 25 } })
    expect(session(rig)).toMatchObject({ limit: { tokens: 25 }, remaining: { tokens: 15 } })
    turn(rig, { budget: { tokens: 1_000 } }, took(9))
    expect(acquire(rig)).toMatchObject({
      ...{ reason: 'BUDGET_EXHAUSTED', budgetOwner: 'session', remaining: { tokens: 6 } },
      ...{ retryAfterMs: 0, message: expect.stringContaining('does not refill') },
    })
    expect(turn(rig, { maxTokens: 6 }, took(6)).remaining).toEqual({ tokens: 0 })
  })

  it('has the configured budget where its first turn brings none, and does not begin unpaid', () => {
    const rig = ready({ budget: { tokens: 8 } })
    expect(acquire(rig)).toMatchObject({ reason: 'BUDGET_EXHAUSTED' })
    expect(session(rig)).toBeUndefined()
  })

  it('ends when it is told to, again and again, with its warmth', () => {
    const rig = ready()
    turn(rig)
    rig.coordinator.endSession(NAME)
    rig.coordinator.endSession(NAME)
    expect(session(rig)).toBeUndefined()
  })

  it('makes room, the one used longest ago first, never one that runs', () => {
    const rig = ready({ maxSessions: 2 })
    acquire(rig, { sessionId: 'runs' })
    turn(rig, { sessionId: 'old' })
    turn(rig, { sessionId: 'new' })
    const left = ['runs', 'old', 'new'].filter((sessionId) => session(rig, { ...NAME, sessionId }))
    expect(left).toEqual(['runs', 'new'])
  })

  it('of another tenant makes no room for one that names many', () => {
    const rig = ready({ maxSessions: 4 })
    turn(rig, { tenant: 'quiet', sessionId: 'kept' })
    for (let index = 0; index < 20; index++) turn(rig, { tenant: 'loud', sessionId: `s${index}` })
    expect(session(rig, { tenant: 'quiet', sessionId: 'kept' })).toMatchObject({ turns: 1 })
    const ids = [...rig.coordinator.core.ledger.sessions.values()].map((one) => one.sessionId)
    expect(ids).toEqual(['kept', 's17', 's18', 's19'])
  })
})

describe('sessions of the leader before', () => {
  it('[004-10a] go on with their turns, budgets, warmth and time under the next', async () => {
    const rig = ready()
    const { poolId } = turn(rig, { budget: { tokens: 100 } })
    await rig.pass(200, 'h1')
    rig.settleStore()
    await rig.pass(60_000, 'h1')
    const next = ready({}, { store: rig.store, clock: rig.clock }, 2)
    expect(session(next)).toMatchObject({
      ...{ turns: 1, kvWarmth: true, poolId, ttlMsRemaining: TTL_MS - 60_200 },
      remaining: { tokens: 90 },
    })
  })

  it('[004-09a] that were not stored begin again with the budget their lease was asked for', () => {
    const rig = ready()
    const lease = { ...liveLease('l1', 'p1'), ...NAME, budget: { tokens: 100 } }
    rig.coordinator.onHello(2, {
      ...{ gatewayId: 'other' as GatewayId, session: 1, liveLeases: [], term: 0 },
      unsettled: [{ live: lease, sequence: 1, result: took(30) }],
    })
    expect(session(rig)).toMatchObject({ turns: 1, limit: { tokens: 100 }, kvWarmth: true })
    expect(session(rig)?.remaining).toEqual({ tokens: 70 })
  })

  it('are neither shown nor forgotten before it has read them', async () => {
    const rig = ready()
    turn(rig)
    await rig.pass(200, 'h1')
    rig.settleStore()
    const { core } = createRig({}, true, undefined, {
      store: rig.store,
      clock: rig.clock,
    }).coordinator
    const unread = { reason: 'CONTROL_PLANE_UNAVAILABLE' }
    expect(() => reportSession(core, NAME)).toThrow(expect.objectContaining(unread))
    expect(() => assertRead(core)).toThrow(expect.objectContaining(unread))
  })

  it('that are over by then are gone', async () => {
    const rig = ready()
    turn(rig)
    await rig.pass(200, 'h1')
    rig.settleStore()
    await rig.clock.advance(TTL_MS)
    const next = ready({}, { store: rig.store, clock: rig.clock }, 2)
    expect(session(next)).toBeUndefined()
    await next.pass(200, 'h1')
    next.settleStore()
    expect(next.store.read('t/s')).toBeUndefined()
  })
})
