import { describe, expect, it } from '@jest/globals'
import { toPrice } from '@berth/admission'
import type { JobId } from '@berth/kernel'
import type { LeaseOutcome, LeaseResult } from './job-spec.ts'
import type { KeyBudget } from './ledger.ts'
import { ask, completed, createRig, pool, type Rig } from './testing/rig.ts'

const DAY_MS = 86_400_000

/** One pool with slots for all, one gateway, and keys that may spend so much a day. */
const charged = (budget: KeyBudget, policy = {}, slotsTotal = 10): Rig => {
  const rig = createRig(policy, true, undefined, {
    budgetOfKey: (keyId) => (keyId === 'k' ? budget : undefined),
  })
  rig.joinHost('h1', [pool('p1', { slotsTotal })])
  rig.joinGateway(1, 'gw')
  rig.settleStore()
  rig.take(1)
  return rig
}
const byKey = { keyId: 'k', tenant: 't', promptTokens: 5, maxTokens: 10 }
const took = (tokensOut: number, outcome: LeaseOutcome = 'completed'): LeaseResult => ({
  ...{ outcome, tokensIn: 5, tokensOut, firstTokenMs: 30, decodeMs: 70 },
})
const account = (rig: Rig) => rig.coordinator.core.ledger.keys.get('k')!
const assign = (rig: Rig, jobId: string, spec = {}) => {
  rig.coordinator.onAcquire(1, ask(jobId, { ...byKey, ...spec }))
  const told = rig.take(1).at(-1)
  if (told?.kind !== 'assigned') throw new Error(`${jobId} is ${JSON.stringify(told)}`)
  return told
}

describe('a token budget', () => {
  it('[004-09a][OC-CORE-1023] sets aside the prompt and all a job may produce, and tells what is left', () => {
    const rig = charged({ tokensPerDay: 100 })
    expect(assign(rig, 'j1')).toMatchObject({ reserved: { tokens: 15 }, remaining: { tokens: 85 } })
    expect(assign(rig, 'j2', { maxTokens: 20 }).remaining).toEqual({ tokens: 60 })
    expect(account(rig)).toMatchObject({ reserved: { tokens: 40 }, spent: { tokens: 0 } })
  })

  it('[004-09a] sets a configured cap aside where a job does not say how much it may produce', () => {
    const budgets = { reserveTokensMax: 70, prices: new Map() }
    const rig = charged({ tokensPerDay: 100 }, { budgets })
    expect(assign(rig, 'j1', { maxTokens: 0 }).remaining).toEqual({ tokens: 25 })
  })

  it('[004-09a] sets aside what each of several answers may take', () => {
    const rig = charged({ tokensPerDay: 100 })
    expect(assign(rig, 'j1', { answers: 3 }).remaining).toEqual({ tokens: 65 })
    rig.coordinator.onAcquire(1, ask('j2', { ...byKey, answers: 7 }))
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'BUDGET_EXHAUSTED' }])
  })

  it('sets no output aside for a route that produces none', () => {
    const rig = charged({ tokensPerDay: 100 })
    rig.joinHost('h1', [pool('p1', { supports: routes('/v1/embeddings') })], { revision: 2 })
    expect(assign(rig, 'j1', { route: '/v1/embeddings' }).remaining).toEqual({ tokens: 95 })
  })

  it('[004-09a][OC-CORE-1024] refuses what does not fit, with what is left and when it refills', async () => {
    const rig = charged({ tokensPerDay: 20 })
    await rig.pass(1_000, 'h1')
    assign(rig, 'j1')
    rig.coordinator.onAcquire(1, ask('j2', byKey))
    expect(rig.take(1)).toMatchObject([
      {
        ...{ kind: 'rejected', jobId: 'j2', reason: 'BUDGET_EXHAUSTED', policyLabel: 'budget' },
        ...{ budgetOwner: 'key', remaining: { tokens: 5 }, retryAfterMs: DAY_MS - 1_000 },
      },
    ])
    expect(account(rig).reserved.tokens).toBe(15)
  })

  it('refills at midnight of UTC, and what still runs stays set aside', async () => {
    const rig = charged({ tokensPerDay: 30 })
    const { leaseId } = assign(rig, 'j1')
    rig.coordinator.onRelease(1, leaseId, took(10), 1)
    assign(rig, 'j2')
    rig.clock.stepWall(DAY_MS)
    expect(assign(rig, 'j3').remaining).toEqual({ tokens: 0 })
  })

  it.each<[LeaseOutcome, number]>([
    ['completed', 8],
    ['client_gone', 8],
    ['broken', 8],
    ['engine_error', 8],
    ['unused', 0],
    ['refused', 0],
    ['unreachable', 0],
    ['unknown', 0],
  ])('is charged what a lease took that ended as %s: %s tokens', (outcome, tokens) => {
    const rig = charged({ tokensPerDay: 100 })
    const { leaseId } = assign(rig, 'j1')
    rig.coordinator.onRelease(1, leaseId, took(3, outcome), 1)
    expect(account(rig)).toMatchObject({ spent: { tokens }, reserved: { tokens: 0 } })
  })

  it('is charged once, however often a release is told', () => {
    const rig = charged({ tokensPerDay: 100 })
    const { leaseId } = assign(rig, 'j1')
    for (let times = 0; times < 3; times++) rig.coordinator.onRelease(1, leaseId, took(3), 1)
    expect(account(rig)).toMatchObject({ spent: { tokens: 8 }, reserved: { tokens: 0 } })
  })

  it('of another key, or of none, is not touched', () => {
    const rig = charged({ tokensPerDay: 10 })
    for (const keyId of ['', 'other']) {
      expect(assign(rig, `j-${keyId}`, { keyId })).not.toHaveProperty('remaining')
    }
  })
})

const routes = (route: string) => ({ routes: [route], quantizations: [], extensions: [] })

describe('time and cost budgets', () => {
  it('[004-09a] reserve the predicted time and the price of the tokens, and settle the real ones', () => {
    const prices = new Map([['m', toPrice(1_000_000, 2_000_000)]])
    const limits = { timeMsPerDay: 60_000, costMicrosPerDay: 1_000_000_000 }
    const rig = charged(limits, { budgets: { reserveTokensMax: 1, prices } })
    const { leaseId, reserved, predictedEndMs } = assign(rig, 'j1')
    expect(reserved).toEqual({
      ...{ tokens: 15, timeMs: Math.round(predictedEndMs), costMicros: 25_000_000 },
    })
    rig.coordinator.onRelease(1, leaseId, took(4), 1)
    expect(account(rig).spent).toEqual({ tokens: 9, timeMs: 100, costMicros: 13_000_000 })
  })

  it('[004-09a] refuse what is too long or too dear', () => {
    const prices = new Map([['m', toPrice(1, 1)]])
    const rig = charged({ costMicrosPerDay: 14 }, { budgets: { reserveTokensMax: 1, prices } })
    rig.coordinator.onAcquire(1, ask('j1', byKey))
    expect(rig.take(1)).toMatchObject([
      { reason: 'BUDGET_EXHAUSTED', remaining: { costMicros: 14 } },
    ])
    const slow = charged({ timeMsPerDay: 1 })
    slow.coordinator.onAcquire(1, ask('j1', byKey))
    expect(slow.take(1)).toMatchObject([{ reason: 'BUDGET_EXHAUSTED', remaining: { timeMs: 1 } }])
  })

  it('take what no clock can have measured as nothing', () => {
    const rig = charged({ timeMsPerDay: 60_000 })
    const { leaseId } = assign(rig, 'j1')
    const odd = { ...took(3), firstTokenMs: Number.NaN, decodeMs: -5 }
    rig.coordinator.onRelease(1, leaseId, odd, 1)
    expect(account(rig).spent.timeMs).toBe(0)
  })
})

describe('a job that never runs', () => {
  it('[004-09a] gives its budget back when it is refused, cancelled, expired or evicted', async () => {
    const admission = { capacity: 1, fullPolicy: 'drop-lru' as const, promoteAfterMs: 60_000 }
    const rig = charged({ tokensPerDay: 1_000 }, { admission }, 1)
    assign(rig, 'runs')
    const reserved = () => account(rig).reserved.tokens
    rig.coordinator.onAcquire(1, ask('cancelled', byKey))
    expect(reserved()).toBe(30)
    rig.coordinator.onCancel(1, 'cancelled' as JobId)
    expect(reserved()).toBe(15)
    rig.coordinator.onAcquire(1, ask('expired', { ...byKey, maxWaitMs: 400 }))
    rig.coordinator.onAcquire(1, ask('refused', byKey))
    expect(reserved()).toBe(30)
    await rig.pass(600, 'h1')
    expect(reserved()).toBe(15)
    rig.coordinator.onAcquire(1, ask('old', { ...byKey, jobClass: 'batch' }))
    rig.coordinator.onAcquire(1, ask('new', { ...byKey, jobClass: 'batch' }))
    expect(reserved()).toBe(30)
    rig.coordinator.onAcquire(1, ask('nowhere', { ...byKey, modelId: 'x' as never }))
    expect(reserved()).toBe(30)
    rig.coordinator.onSessionClosed(1)
    expect(reserved()).toBe(15)
  })

  it('of its own, without a session, has a budget as well', () => {
    const rig = charged({})
    const own = { keyId: '', budget: { tokens: 20 } }
    expect(assign(rig, 'j1', own)).toMatchObject({ remaining: { tokens: 5 } })
    rig.coordinator.onAcquire(1, ask('j2', { ...byKey, keyId: '', budget: { tokens: 10 } }))
    expect(rig.take(1)).toMatchObject([
      {
        reason: 'BUDGET_EXHAUSTED',
        budgetOwner: 'job',
        remaining: { tokens: 10 },
        retryAfterMs: 0,
      },
    ])
  })
})

describe('a lease that ends without its gateway', () => {
  it('of a pool that is gone stays charged until its gateway says what it took', () => {
    const rig = charged({ tokensPerDay: 100 })
    const { leaseId } = assign(rig, 'j1')
    rig.joinHost('h1', [pool('p1')], { epoch: 2 })
    expect(rig.take(1).at(-1)).toMatchObject({ kind: 'revoked', leaseId })
    expect(account(rig).reserved.tokens).toBe(15)
    rig.coordinator.onRelease(1, leaseId, took(3, 'broken'), 1)
    expect(account(rig)).toMatchObject({ spent: { tokens: 8 }, reserved: { tokens: 0 } })
  })

  it('of a gateway that never comes back is refunded', async () => {
    const rig = charged({ tokensPerDay: 100 })
    assign(rig, 'j1')
    rig.coordinator.onSessionClosed(1)
    await rig.pass(14_800, 'h1')
    expect(account(rig).reserved.tokens).toBe(15)
    await rig.pass(400, 'h1')
    expect(account(rig)).toMatchObject({ spent: { tokens: 0 }, reserved: { tokens: 0 } })
  })

  it('is refunded when its gateway comes back and never got it', () => {
    const rig = charged({ tokensPerDay: 100 })
    assign(rig, 'j1')
    rig.coordinator.onSessionClosed(1)
    rig.joinGateway(2, 'gw')
    expect(account(rig).reserved.tokens).toBe(0)
  })
})

describe('requests a minute', () => {
  const burst = (rig: Rig, ids: readonly string[], rest = {}) => {
    for (const id of ids) rig.coordinator.onAcquire(1, ask(id, byKey, rest))
    return rig.take(1)
  }

  it('are refused beyond the limit, with the time when one will be let in', async () => {
    const rig = charged({ requestsPerMinute: 2 })
    await rig.pass(500, 'h1')
    const told = burst(rig, ['j1', 'j2', 'j3'])
    expect(told.map(({ kind }) => kind)).toEqual(['assigned', 'assigned', 'rejected'])
    const waitMs = 60_500
    expect(told[2]).toMatchObject({ reason: 'RATE_LIMITED', retryAfterMs: waitMs })
    expect(told[2]).toMatchObject({ policyLabel: 'requests-per-minute' })
    await rig.pass(waitMs - 200, 'h1')
    expect(burst(rig, ['j4'])).toMatchObject([{ reason: 'RATE_LIMITED', retryAfterMs: 200 }])
    await rig.pass(200, 'h1')
    expect(burst(rig, ['j5'])).toMatchObject([{ kind: 'assigned' }])
  })

  it('do not count a retry of the gateway, nor a job it sends again after a broken session', () => {
    const rig = charged({ requestsPerMinute: 2 }, {}, 1)
    burst(rig, ['runs', 'waits'])
    expect(burst(rig, ['retry'], { attempt: 1 })).toMatchObject([{ kind: 'queued' }])
    rig.coordinator.onSessionClosed(1)
    rig.joinGateway(1, 'gw', [], 2)
    rig.settleStore()
    rig.take(1)
    expect(burst(rig, ['waits'], { waitedMs: 1 })).toMatchObject([{ kind: 'assigned' }])
    expect(burst(rig, ['third'])).toMatchObject([{ reason: 'RATE_LIMITED' }])
  })
})

it('[004-09a] a release nobody has counted is told to be settled once it is stored', async () => {
  const rig = charged({ tokensPerDay: 100 })
  const { leaseId } = assign(rig, 'j1')
  rig.coordinator.onRelease(1, leaseId, completed, 1)
  await rig.pass(200, 'h1')
  expect(rig.take(1)).toEqual([])
  rig.settleStore()
  expect(rig.take(1)).toEqual([{ kind: 'settled', sequence: 1 }])
})
