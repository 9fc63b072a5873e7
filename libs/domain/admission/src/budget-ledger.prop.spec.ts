import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { NOTHING, type Amounts } from './budget.ts'
import {
  beginStoring,
  createAccount,
  endStoring,
  rebase,
  settle,
  type BudgetAccount,
  type Settlement,
  type Tally,
} from './budget-account.ts'
import { closeCharge, openCharge, reopenCharge, type Charge } from './charge.ts'

const LIMIT = 200

/** A lease as its gateway knows it. */
interface Held {
  readonly gateway: number
  readonly reserved: Amounts
  readonly real: Amounts
}

/**
 * Two leaders in turn, three gateways and a store, with every message that may be lost or come
 * twice: releases are kept until the leader says that they are stored, and are told again to the
 * next one.
 */
class Fleet {
  stored: Tally | undefined
  /** Of the entry, and as the leader knows it. */
  revision = 0
  known = 0
  /** What the leader before had sent to the store when it died, and over which revision. */
  onItsWay: { readonly tally: Tally; readonly over: number } | undefined
  account: BudgetAccount = createAccount('key.k', 'key', { tokens: LIMIT })
  readonly charges = new Map<Held, Charge>()
  readonly held = new Set<Held>()
  readonly unsettled: Settlement[][] = [[], [], []]
  readonly sequences = [0, 0, 0]
  reallySpent = 0
  admitted = 0

  admit(gateway: number, reserved: number, used: number) {
    const amounts = { ...NOTHING, tokens: reserved }
    const opening = openCharge([this.account], amounts)
    if (opening.kind === 'refused') return
    const real = { ...NOTHING, tokens: Math.min(used, reserved) }
    const held = { gateway, reserved: amounts, real }
    this.held.add(held)
    this.charges.set(held, opening.charge)
    this.admitted += 1
  }

  /** The gateway ends a lease; `isHeard`: its leader hears of it. */
  release(index: number, isHeard: boolean) {
    const held = [...this.held][index % Math.max(1, this.held.size)]
    if (!held) return
    this.held.delete(held)
    this.sequences[held.gateway]! += 1
    const sequence = this.sequences[held.gateway]!
    this.reallySpent += held.real.tokens
    const one = { gatewayId: `g${held.gateway}`, sequence, amounts: held.real, turns: 0 }
    this.unsettled[held.gateway]!.push(one)
    // One that is not heard is not overtaken: its connection is broken until the next Hello.
    if (isHeard && this.missed(held.gateway) === 1) this.hear(held, one)
    else this.deaf.add(held)
  }

  readonly deaf = new Set<Held>()

  missed(gateway: number): number {
    const reached = this.account.reached.get(`g${gateway}`) ?? 0
    return this.sequences[gateway]! - reached
  }

  hear(held: Held, one: Settlement) {
    closeCharge(this.charges.get(held)!)
    this.charges.delete(held)
    settle(this.account, one)
  }

  /** `isTold`: the gateways hear that it is stored. */
  store(result: 'stored' | 'lost' | 'unanswered', isTold: boolean) {
    const tally = beginStoring(this.account)
    const isConflict = this.revision !== this.known
    if (result !== 'lost' && !isConflict) {
      this.stored = tally
      this.revision += 1
    }
    const isStored = result === 'stored' && !isConflict
    endStoring(this.account, isStored)
    if (isStored) this.known = this.revision
    // Seen at the next try: the entry is another than was thought.
    if (isConflict) {
      this.known = this.revision
      rebase(this.account, this.stored!)
    }
    if (!isStored || !isTold) return
    this.unsettled.forEach((all, gateway) => {
      const reached = tally.reached.get(`g${gateway}`) ?? 0
      this.unsettled[gateway] = all.filter(({ sequence }) => sequence > reached)
    })
  }

  /** Says hello again to the same leader: everything it holds, and every release not settled. */
  hello(gateway: number) {
    for (const one of this.unsettled[gateway]!) settle(this.account, one)
    for (const held of [...this.deaf]) {
      if (held.gateway !== gateway) continue
      this.deaf.delete(held)
      closeCharge(this.charges.get(held)!)
      this.charges.delete(held)
    }
  }

  /** The leader dies with all it had not stored. The next hears the gateways before it reads. */
  failOver(isReadFirst: boolean) {
    if (this.revision === this.known) {
      this.onItsWay = { tally: beginStoring(this.account), over: this.revision }
    }
    this.known = this.revision
    this.account = createAccount('key.k', 'key', { tokens: LIMIT })
    this.deaf.clear()
    this.charges.clear()
    if (isReadFirst && this.stored) rebase(this.account, this.stored)
    for (const held of this.held) {
      this.charges.set(held, reopenCharge([this.account], held.reserved))
    }
    this.unsettled.flat().forEach((one) => settle(this.account, one))
    if (!isReadFirst && this.stored) rebase(this.account, this.stored)
  }

  /** A write of the dead leader arrives after the next one has read the entry. */
  arriveLate() {
    if (this.onItsWay?.over !== this.revision) return
    this.stored = this.onItsWay.tally
    this.revision += 1
  }

  check() {
    const { spent, reserved } = this.account
    for (const amount of [spent.tokens, reserved.tokens]) {
      expect(Number.isSafeInteger(amount) && amount >= 0).toBe(true)
    }
    expect(spent.tokens + reserved.tokens).toBeLessThanOrEqual(LIMIT)
    const open = [...this.charges.values()].reduce((sum, one) => sum + one.reserved.tokens, 0)
    expect(reserved.tokens).toBe(open)
  }
}

const gateway = fc.nat(2)
const step = fc.oneof(
  fc.record({
    kind: fc.constant('admit' as const),
    gateway,
    reserved: fc.nat(40),
    used: fc.nat(40),
  }),
  fc.record({ kind: fc.constant('release' as const), index: fc.nat(9), isHeard: fc.boolean() }),
  fc.record({ kind: fc.constant('cancel' as const), index: fc.nat(9) }),
  fc.record({
    kind: fc.constant('store' as const),
    result: fc.constantFrom('stored' as const, 'lost' as const, 'unanswered' as const),
    isTold: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('arriveLate' as const) }),
  fc.record({ kind: fc.constant('hello' as const), gateway }),
  fc.record({ kind: fc.constant('failOver' as const), isReadFirst: fc.boolean() }),
)

type Step = typeof step extends fc.Arbitrary<infer Kind> ? Kind : never

const play = (fleet: Fleet, one: Step) => {
  switch (one.kind) {
    case 'admit':
      return fleet.admit(one.gateway, one.reserved, one.used)
    case 'release':
      return fleet.release(one.index, one.isHeard)
    case 'cancel': {
      const held = [...fleet.held][one.index % Math.max(1, fleet.held.size)]
      if (!held) return
      fleet.held.delete(held)
      closeCharge(fleet.charges.get(held)!)
      fleet.charges.delete(held)
      return
    }
    case 'store':
      return fleet.store(one.result, one.isTold)
    case 'arriveLate':
      return fleet.arriveLate()
    case 'hello':
      return fleet.hello(one.gateway)
    case 'failOver':
      return fleet.failOver(one.isReadFirst)
  }
}

describe('a ledger under admissions, releases, lost answers, hellos and failovers', () => {
  it('[004-09a][OC-CORE-1023] never exceeds its limit and counts every release exactly once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const fleet = new Fleet()
        for (const one of steps) {
          play(fleet, one)
          fleet.check()
        }
        // Everyone says what it has to say: then all that was used is counted, and nothing else.
        for (const id of [0, 1, 2]) fleet.hello(id)
        expect(fleet.account.spent.tokens).toBe(fleet.reallySpent)
        for (let tries = 0; tries < 2; tries++) fleet.store('stored', true)
        expect(fleet.stored?.spent.tokens).toBe(fleet.reallySpent)
      }),
      { numRuns: 1_000 },
    )
  })

  it('admits at all, or the property above would say nothing', () => {
    const fleet = new Fleet()
    for (let index = 0; index < 9; index++) fleet.admit(index % 3, 40, 40)
    expect([fleet.admitted, fleet.account.reserved.tokens]).toEqual([5, 200])
  })
})
