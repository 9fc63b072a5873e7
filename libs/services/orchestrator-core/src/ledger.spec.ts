import { describe, expect, it } from '@jest/globals'
import type { GatewayId, LeaseId } from '@berth/kernel'
import type { Ask, LeaseResult } from './job-spec.ts'
import { markDirty } from './ledger.ts'
import type { LiveLease, SessionSignal, UnsettledRelease } from './session-signal.ts'
import { ask, createRig, liveLease, pool, type Rig, type RigParts } from './testing/rig.ts'

const LIMIT = 100
const byKey = { keyId: 'k', tenant: 't', promptTokens: 5, maxTokens: 10 }
const job = (jobId: string, waitedMs = 0): Ask => ask(jobId, byKey, { waitedMs })
const took = (tokensOut: number): LeaseResult => ({
  ...{ outcome: 'completed', tokensIn: 5, tokensOut, firstTokenMs: 30, decodeMs: 70 },
})
const live = (leaseId: string): LiveLease => ({
  ...liveLease(leaseId, 'p1'),
  ...{ keyId: 'k', tenant: 't', reserved: { tokens: 15, timeMs: 1, costMicros: 0 } },
})
const unsettled = (leaseId: string, sequence: number, tokensOut: number): UnsettledRelease => ({
  ...{ live: live(leaseId), sequence, result: took(tokensOut) },
})

/** A core under `term` that has a host, and shares what `parts` say with the one before. */
const leading = (term: number, parts: RigParts = {}): Rig => {
  const budgetOfKey = () => ({ tokensPerDay: LIMIT })
  const rig = createRig({}, false, undefined, { ...parts, budgetOfKey })
  rig.coordinator.onLeading(term)
  rig.joinHost('h1', [pool('p1', { slotsTotal: 20 })])
  return rig
}
/** The next leader, on the same store and clock. */
const after = ({ store, clock }: Rig, term = 2): Rig => leading(term, { store, clock })
const hello = (
  rig: Rig,
  id: string,
  holds: {
    readonly live?: readonly LiveLease[]
    readonly ended?: readonly UnsettledRelease[]
  } = {},
  session = 1,
) => {
  const { live: liveLeases = [], ended = [] } = holds
  rig.coordinator.onHello(session, {
    ...{ gatewayId: id as GatewayId, session, liveLeases, unsettled: ended, term: 0 },
  })
}
const kinds = (signals: readonly SessionSignal[]) => signals.map(({ kind }) => kind)
const account = (rig: Rig) => rig.coordinator.core.ledger.keys.get('k')
const assigned = (rig: Rig, session = 1) =>
  rig.take(session).flatMap((told) => (told.kind === 'assigned' ? [told] : []))
const gatewaysOf = (rig: Rig) => rig.store.read('gateways')?.['gateways']

/** A leader with one gateway that has settled 15 tokens and stored them. */
const withHistory = async () => {
  const rig = leading(1)
  hello(rig, 'gw')
  rig.settleStore()
  rig.coordinator.onAcquire(1, job('j1'))
  rig.coordinator.onRelease(1, assigned(rig)[0]!.leaseId, took(10), 1)
  await rig.pass(200, 'h1')
  rig.settleStore()
  return rig
}

describe('a job with a budget', () => {
  it('waits until the ledger is read and its gateway is on the roster; others do not', () => {
    const rig = leading(1)
    hello(rig, 'gw')
    rig.take(1)
    rig.coordinator.onAcquire(1, job('charged'))
    rig.coordinator.onAcquire(1, ask('free'))
    expect(rig.take(1)).toMatchObject([
      { kind: 'queued', jobId: 'charged', reason: 'BUDGETS_UNREAD' },
      { kind: 'assigned', jobId: 'free' },
    ])
    rig.settleStore()
    expect(assigned(rig)).toMatchObject([{ jobId: 'charged', remaining: { tokens: 85 } }])
    expect(gatewaysOf(rig)).toEqual(['gw'])
  })

  it('that waits for the ledger answers for its id alone: another gateway is told it is taken', () => {
    const rig = leading(1)
    hello(rig, 'gw')
    hello(rig, 'other', {}, 2)
    for (const session of [1, 1, 2]) rig.coordinator.onAcquire(session, job('twice'))
    expect(kinds(rig.take(1))).toEqual(['welcome', 'queued', 'queued'])
    expect(rig.take(2).at(-1)).toMatchObject({ kind: 'rejected', reason: 'DUPLICATE_TASK' })
    rig.settleStore()
    expect(assigned(rig)).toMatchObject([{ jobId: 'twice' }])
    expect(account(rig)?.reserved.tokens).toBe(15)
  })

  it('that waits for the ledger can be cancelled, and expires', async () => {
    const rig = leading(1)
    hello(rig, 'gw')
    rig.coordinator.onAcquire(1, job('leaves'))
    rig.coordinator.onAcquire(1, ask('late', { ...byKey, maxWaitMs: 500 }))
    rig.coordinator.onCancel(1, 'leaves' as never)
    rig.take(1)
    await rig.pass(600, 'h1')
    expect(rig.take(1)).toMatchObject([
      { kind: 'rejected', jobId: 'late', reason: 'QUEUE_TIMEOUT' },
    ])
    const ends = rig.events.flatMap((one) => (one.kind === 'job_ended' ? [one.outcome] : []))
    expect(ends).toEqual(['cancelled', 'rejected'])
    rig.settleStore()
    expect(assigned(rig)).toEqual([])
  })

  it('goes on while the store is down, and what it cost is stored later', async () => {
    const rig = await withHistory()
    rig.store.isDown = true
    rig.coordinator.onAcquire(1, job('j2'))
    rig.coordinator.onRelease(1, assigned(rig)[0]!.leaseId, took(1), 2)
    await rig.pass(200, 'h1')
    rig.settleStore()
    hello(rig, 'late', {}, 7)
    rig.settleStore()
    rig.take(7)
    rig.coordinator.onAcquire(7, job('j3'))
    expect(assigned(rig, 7)).toHaveLength(1)
    expect(kinds(rig.take(1))).not.toContain('settled')
    rig.store.isDown = false
    await rig.pass(1_200, 'h1')
    rig.settleStore()
    expect(rig.take(1)).toEqual([{ kind: 'settled', sequence: 2 }])
    expect(rig.store.read('key.k')).toMatchObject({ spent: { tokens: 21 }, reached: { gw: 2 } })
  })
})

describe('a new leader', () => {
  it('counts what was stored, and what gateways say was not, once', async () => {
    const next = after(await withHistory())
    // Before the ledger is read, and again after it.
    hello(next, 'gw', { ended: [unsettled('l1', 1, 10), unsettled('l2', 2, 20)] })
    next.settleStore()
    hello(next, 'gw', { ended: [unsettled('l1', 1, 10), unsettled('l2', 2, 20)] }, 2)
    next.settleStore()
    expect(account(next)?.spent.tokens).toBe(15 + 25)
    expect(next.store.read('key.k')).toMatchObject({ term: 2, reached: { gw: 2 } })
    expect(next.take(2)).toContainEqual({ kind: 'settled', sequence: 2 })
  })

  it('sets aside again what live leases had, and settles them by their release', async () => {
    const next = after(await withHistory())
    next.settleStore()
    hello(next, 'gw', { live: [live('l2')] })
    expect(account(next)?.reserved.tokens).toBe(15)
    next.coordinator.onRelease(1, 'l2' as LeaseId, took(3), 2)
    expect(account(next)).toMatchObject({ reserved: { tokens: 0 }, spent: { tokens: 15 + 8 } })
  })

  it('lets nobody spend what a gateway that is still to come may have set aside', async () => {
    const before = await withHistory()
    hello(before, 'slow', {}, 2)
    before.settleStore()
    const next = after(before)
    hello(next, 'gw')
    next.settleStore()
    for (let index = 0; index < 5; index++) next.coordinator.onAcquire(1, job(`j${index}`))
    expect(assigned(next)).toEqual([])
    // It had five leases: with what is stored nothing is left but one.
    const five = ['a', 'b', 'c', 'd', 'e'].map((id) => live(id))
    hello(next, 'slow', { live: five.slice(0, 4) }, 2)
    await next.pass(200, 'h1')
    expect(kinds(next.take(1)).filter((kind) => kind === 'rejected')).toHaveLength(4)
    expect(account(next)?.reserved.tokens).toBe(75)
  })

  it('waits for a gateway that never comes for one lease TTL, and no longer', async () => {
    const before = await withHistory()
    hello(before, 'dead', {}, 2)
    before.settleStore()
    const next = after(before)
    hello(next, 'gw')
    next.settleStore()
    next.coordinator.onAcquire(1, job('j1'))
    await next.pass(14_800, 'h1')
    expect(assigned(next)).toEqual([])
    await next.pass(400, 'h1')
    next.settleStore()
    expect(assigned(next)).toMatchObject([{ jobId: 'j1' }])
    await next.pass(200, 'h1')
    next.settleStore()
    expect(gatewaysOf(next)).toEqual(['gw'])
  })

  it('admits jobs that wait for it in the order in which they first arrived', async () => {
    const next = after(await withHistory())
    hello(next, 'gw')
    next.coordinator.onAcquire(1, job('second', 100))
    next.coordinator.onAcquire(1, job('first', 900))
    next.settleStore()
    expect(assigned(next).map(({ jobId }) => jobId)).toEqual(['first', 'second'])
  })

  it('that leads on under a higher term while it reads has the ledger all the same', async () => {
    const next = after(await withHistory())
    next.coordinator.onLeading(3)
    next.settleStore()
    expect(account(next)?.spent.tokens).toBe(15)
  })

  it('counts what the leader before stores after it has read, and then stores under its term', async () => {
    const before = await withHistory()
    const next = after(before)
    hello(next, 'gw')
    next.settleStore()
    // The old one does not know yet.
    before.coordinator.onAcquire(1, job('old'))
    before.coordinator.onRelease(1, assigned(before)[0]!.leaseId, took(15), 2)
    await before.pass(200, 'h1')
    before.settleStore()
    next.coordinator.onAcquire(1, job('new'))
    next.coordinator.onRelease(1, assigned(next)[0]!.leaseId, took(1), 3)
    await next.pass(200, 'h1')
    next.settleStore()
    await next.pass(200, 'h1')
    next.settleStore()
    expect(account(next)?.spent.tokens).toBe(15 + 20 + 6)
    expect(next.store.read('key.k')).toMatchObject({ term: 2, spent: { tokens: 41 } })
  })

  it('finds what the leader before stored late, though it stores nothing of it itself', async () => {
    const before = await withHistory()
    const next = after(before)
    hello(next, 'gw')
    next.settleStore()
    before.coordinator.onAcquire(1, job('old'))
    before.coordinator.onRelease(1, assigned(before)[0]!.leaseId, took(15), 2)
    await before.pass(200, 'h1')
    before.settleStore()
    for (let second = 0; second < 6; second++) {
      await next.pass(1_000, 'h1')
      next.settleStore()
    }
    expect(account(next)?.spent.tokens).toBe(15 + 20)
  })
})

describe('a leader with more to store than one round takes, all the time', () => {
  const MORE_THAN_A_ROUND = 5_000
  /** Sessions that began and are over again. */
  const comeAndGo = ({ coordinator }: Rig, round: number) => {
    for (let index = 0; index < MORE_THAN_A_ROUND; index++) {
      markDirty(coordinator.core, { bucket: 'sessions', key: `t/${round}-${index}` })
    }
  }
  const storeRound = (rig: Rig) => {
    rig.coordinator.storeLedger()
    rig.settleStore()
  }
  const charge = (rig: Rig, sequence: number) => {
    rig.coordinator.onAcquire(1, job(`j${sequence}`))
    rig.coordinator.onRelease(1, assigned(rig)[0]!.leaseId, took(10), sequence)
  }

  it('settles each release once it is stored, and none before', async () => {
    const rig = await withHistory()
    comeAndGo(rig, 1)
    charge(rig, 2)
    storeRound(rig)
    comeAndGo(rig, 2)
    charge(rig, 3)
    expect([rig.take(1), rig.store.read('key.k')]).toMatchObject([[], { reached: { gw: 1 } }])
    storeRound(rig)
    expect(rig.take(1)).toEqual([{ kind: 'settled', sequence: 2 }])
    expect(rig.coordinator.core.ledger.dirty.size).toBeGreaterThan(0)
    comeAndGo(rig, 3)
    storeRound(rig)
    comeAndGo(rig, 4)
    storeRound(rig)
    storeRound(rig)
    expect(rig.take(1)).toEqual([{ kind: 'settled', sequence: 3 }])
  })

  it('settles nothing that the store refused, and goes on when it takes it', async () => {
    const rig = await withHistory()
    comeAndGo(rig, 1)
    charge(rig, 2)
    storeRound(rig)
    comeAndGo(rig, 2)
    rig.store.isDown = true
    storeRound(rig)
    expect(rig.take(1)).toEqual([])
    rig.store.isDown = false
    await rig.clock.advance(1_000)
    for (let round = 3; round < 6; round++) {
      comeAndGo(rig, round)
      storeRound(rig)
    }
    expect(rig.take(1)).toEqual([{ kind: 'settled', sequence: 2 }])
  })
})

describe('a leader that was replaced', () => {
  it('overwrites nothing, and resigns when it sees the term of the next', async () => {
    const before = await withHistory()
    const next = after(before)
    hello(next, 'gw', { ended: [unsettled('l2', 2, 30)] })
    next.settleStore()
    before.coordinator.onAcquire(1, job('old'))
    before.coordinator.onRelease(1, assigned(before)[0]!.leaseId, took(1), 2)
    await before.pass(200, 'h1')
    before.settleStore()
    expect(before.resigned).toEqual([2])
    expect(next.store.read('key.k')).toMatchObject({ term: 2, spent: { tokens: 15 + 35 } })
    expect(before.coordinator.core.ledger.keys.size).toBe(0)
  })

  it('and leads again reads the ledger again', async () => {
    const rig = await withHistory()
    rig.coordinator.onFollowing(2, 'other:7070')
    rig.coordinator.onLeading(3)
    rig.settleStore()
    expect(account(rig)?.spent.tokens).toBe(15)
  })
})
