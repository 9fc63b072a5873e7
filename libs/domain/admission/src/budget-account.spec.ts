import { describe, expect, it } from '@jest/globals'
import type { Amounts } from './budget.ts'
import {
  beginStoring,
  createAccount,
  endStoring,
  leftOf,
  rebase,
  roll,
  settle,
  type BudgetAccount,
} from './budget-account.ts'
import { closeCharge, openCharge, remainingOf } from './charge.ts'

const tokens = (count: number): Amounts => ({ tokens: count, timeMs: 0, costMicros: 0 })
const release = (gatewayId: string, sequence: number, count: number, turns = 0) => ({
  ...{ gatewayId, sequence, amounts: tokens(count), turns },
})
const account = (limit = 100): BudgetAccount => createAccount('key.k', 'key', { tokens: limit }, 10)

describe('a charge', () => {
  it('is set aside in every account or in none, and names the one that has not enough', () => {
    const [wide, narrow] = [account(100), createAccount('s', 'session', { tokens: 10 })]
    expect(openCharge([wide, narrow], tokens(11))).toMatchObject({
      ...{ kind: 'refused', account: { owner: 'session' }, lacking: 'tokens' },
    })
    expect([wide.reserved.tokens, narrow.reserved.tokens]).toEqual([0, 0])
    expect(openCharge([wide, narrow], tokens(10)).kind).toBe('open')
    expect(remainingOf([wide, narrow])).toEqual({ tokens: 0 })
  })

  it('is given back once, however often it is closed', () => {
    const one = account()
    const opening = openCharge([one], tokens(40))
    if (opening.kind === 'refused') throw new Error('there is room')
    expect([closeCharge(opening.charge), closeCharge(opening.charge)]).toEqual([true, false])
    expect(one.reserved.tokens).toBe(0)
  })

  it('of a kind that is not limited is never refused', () => {
    const amounts = { tokens: 1, timeMs: 2 ** 40, costMicros: 2 ** 40 }
    expect(openCharge([account()], amounts).kind).toBe('open')
  })
})

describe('an account', () => {
  it('counts each release once, whatever order its gateways come in', () => {
    const one = account()
    expect(settle(one, release('a', 1, 5))).toBe(true)
    expect(settle(one, release('b', 1, 7))).toBe(true)
    expect(settle(one, release('a', 1, 5))).toBe(false)
    expect(one.spent.tokens).toBe(12)
  })

  it('counts every release of a gateway that does not number them', () => {
    const one = account()
    expect([settle(one, release('old', 0, 5)), settle(one, release('old', 0, 5))]).toEqual([
      true,
      true,
    ])
    rebase(one, { spent: tokens(1), turns: 0, windowEndMs: 10, reached: new Map([['old', 9]]) })
    expect([one.spent.tokens, one.reached.get('old')]).toEqual([11, 9])
  })

  it('remembers the last 256 gateways that were heard, not those that were longest ago', () => {
    const one = account(1e9)
    settle(one, release('first', 1, 1))
    settle(one, release('second', 1, 1))
    for (let index = 0; index < 254; index++) settle(one, release(`g${index}`, 1, 1))
    settle(one, release('first', 2, 1))
    expect([one.reached.size, one.reached.has('second')]).toEqual([256, true])
    settle(one, release('new', 1, 1))
    expect([one.reached.size, one.reached.has('second')]).toEqual([256, false])
    expect(settle(one, release('first', 2, 1))).toBe(false)
  })

  it('without a window never forgets', () => {
    const one = createAccount('s', 'session', { tokens: 10 })
    settle(one, release('a', 1, 4))
    expect([roll(one, 2 ** 50, 2 ** 51), one.spent.tokens]).toEqual([false, 4])
  })

  it('stores nothing of a window that ended while its releases waited to be stored', () => {
    const one = account()
    settle(one, release('a', 1, 30, 1))
    roll(one, 10, 20)
    settle(one, release('a', 2, 4, 1))
    const tally = beginStoring(one)
    expect(tally).toMatchObject({ spent: { tokens: 4 }, turns: 1, windowEndMs: 20 })
    endStoring(one, true)
    expect(one.stored).toEqual({ spent: tokens(4), turns: 1 })
    // What is found is older: only what it has not counted is put on top.
    rebase(one, { spent: tokens(9), turns: 2, windowEndMs: 20, reached: new Map([['a', 1]]) })
    settle(one, release('a', 3, 1, 1))
    expect([one.spent.tokens, one.turns]).toEqual([10, 3])
  })

  it('counts turns as it counts amounts, also on top of what was found', () => {
    const one = account()
    settle(one, release('a', 1, 1, 1))
    settle(one, release('a', 2, 1, 1))
    rebase(one, { spent: tokens(7), turns: 5, windowEndMs: 10, reached: new Map([['a', 1]]) })
    expect([one.turns, one.unstored.length]).toEqual([6, 1])
    expect(one.reached.get('a')).toBe(2)
  })

  it('says what is left, never less than nothing', () => {
    const one = account(10)
    settle(one, release('a', 1, 25))
    expect(leftOf(one)).toEqual({ tokens: 0 })
  })

  it('forgets what was spent when its window ends, and not what it has counted', () => {
    const one = account()
    settle(one, release('a', 1, 30))
    expect([roll(one, 9, 20), roll(one, 10, 20)]).toEqual([false, true])
    expect([one.spent.tokens, settle(one, release('a', 1, 30)), one.windowEndMs]).toEqual([
      0,
      false,
      20,
    ])
  })

  it('puts what is not stored on top of what another leader stored, without what that has', () => {
    const one = account()
    for (let sequence = 1; sequence <= 3; sequence++) settle(one, release('a', sequence, 10))
    settle(one, release('b', 4, 1))
    // The other leader counted a's first two, and three of a gateway that is not known here.
    const reached = new Map([
      ['a', 2],
      ['c', 3],
    ])
    rebase(one, { spent: tokens(20 + 6), turns: 0, windowEndMs: 10, reached })
    expect(one.spent.tokens).toBe(20 + 6 + 10 + 1)
    expect(settle(one, release('c', 3, 2))).toBe(false)
  })

  it('keeps what came while it was being stored, and all of it when that failed', () => {
    const one = account()
    settle(one, release('a', 1, 10))
    expect(beginStoring(one).spent.tokens).toBe(10)
    settle(one, release('a', 2, 5))
    endStoring(one, true)
    expect(one.unstored).toMatchObject([{ sequence: 2 }])
    beginStoring(one)
    endStoring(one, false)
    expect([one.unstored.length, one.spent.tokens]).toEqual([1, 15])
  })

  it('takes the later of two windows: what was spent in an earlier one is over', () => {
    const young = account()
    settle(young, release('a', 1, 10))
    const reached = new Map<string, number>()
    rebase(young, { spent: tokens(3), turns: 0, windowEndMs: 20, reached })
    expect([young.spent.tokens, young.windowEndMs]).toEqual([3, 20])
    const old = account()
    settle(old, release('a', 2, 10))
    rebase(old, { spent: tokens(50), turns: 0, windowEndMs: 5, reached: new Map([['a', 1]]) })
    expect(old.spent.tokens).toBe(10)
  })

  it('stays small while nothing can be stored', () => {
    const one = account(1e9)
    for (let sequence = 1; sequence <= 5_000; sequence++) {
      settle(one, release(sequence % 2 ? 'a' : 'b', sequence, 1, 1))
    }
    expect(one.unstored.length).toBeLessThanOrEqual(1_024)
    // Folded, they are told from what is stored by the last of them.
    const [a, b] = one.unstored
    expect([a!.gatewayId, b!.gatewayId, Math.abs(a!.sequence - b!.sequence)]).toEqual(['a', 'b', 1])
    expect([one.spent.tokens, one.turns]).toEqual([5_000, 5_000])
    beginStoring(one)
    endStoring(one, true)
    expect([one.stored.spent.tokens, one.stored.turns]).toEqual([5_000, 5_000])
  })
})
