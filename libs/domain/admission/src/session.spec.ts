import { describe, expect, it } from '@jest/globals'
import {
  beginSession,
  DEFAULT_SESSION_POLICY,
  expireSessions,
  findSession,
  sessionKey,
  useSession,
  type SessionPolicy,
} from './session.ts'
import { createSessionTable, type SessionTable } from './session-table.ts'
import { settle } from './budget-account.ts'

const policy: SessionPolicy = { ...DEFAULT_SESSION_POLICY, ttlMs: 100, maxSessions: 2 }
const begin = (table: SessionTable, sessionId: string, nowMs = 0, budget = {}) =>
  beginSession(table, { tenant: 't', sessionId, budget }, policy, nowMs)
const ids = (table: SessionTable) => [...table.values()].map(({ sessionId }) => sessionId)

describe('the key of a session', () => {
  it('is the tenant and the id, whatever characters a tenant has', () => {
    expect(sessionKey('a', 's')).toBe('a/s')
    expect(sessionKey('a/b', 's')).not.toBe(sessionKey('a', 'b/s'))
  })
})

describe('a table of sessions', () => {
  it('keeps a session for its time since it was used last, to the millisecond', () => {
    const table = createSessionTable()
    const { session } = begin(table, 's')
    const key = sessionKey('t', 's')
    expect(findSession(table, key, policy, 99)).toBe(session)
    expect(findSession(table, key, policy, 100)).toBeUndefined()
    useSession(table, session, 50)
    expect(findSession(table, key, policy, 149)).toBe(session)
    expect([expireSessions(table, policy, 149), expireSessions(table, policy, 150)]).toEqual([
      [],
      [key],
    ])
    expect(table.size).toBe(0)
  })

  it('never ends one that runs by time, nor keeps it from ending others', () => {
    const table = createSessionTable()
    const { session } = begin(table, 'runs')
    session.open = 1
    begin(table, 'idle')
    expect(expireSessions(table, policy, 1_000)).toEqual(['t/idle'])
    expect(findSession(table, 't/runs', policy, 1_000)).toBe(session)
  })

  it('makes room by letting the one go that was used longest ago and does not run', () => {
    const table = createSessionTable()
    const { session: first } = begin(table, 'first', 1)
    begin(table, 'second', 2)
    useSession(table, first, 3)
    expect(begin(table, 'third', 4).left).toBe('t/second')
    expect(ids(table)).toEqual(['first', 'third'])
    first.open = 1
    expect(begin(table, 'fourth', 5).left).toBe('t/third')
    for (const session of table.values()) session.open = 1
    // All others run: the newcomer is not remembered.
    expect(begin(table, 'fifth', 6).left).toBe('t/fifth')
    expect(ids(table)).toEqual(['first', 'fourth'])
  })

  it('says that nobody left while there is room', () => {
    const table = createSessionTable()
    expect([begin(table, 'a'), begin(table, 'b')].map(({ left }) => left)).toEqual([
      undefined,
      undefined,
    ])
  })

  it('does not bring back one that has ended by using it', () => {
    const table = createSessionTable()
    const { session } = begin(table, 's')
    table.clear()
    useSession(table, session, 10)
    expect([table.size, session.usedAtMs]).toEqual([0, 10])
  })
})

describe('a session that begins again under the same id', () => {
  it('has its own budget, and counts no release of the one before again', () => {
    const table = createSessionTable()
    const { account } = begin(table, 's', 0, { tokens: 10 }).session
    const amounts = { tokens: 7, timeMs: 0, costMicros: 0 }
    const release = { gatewayId: 'g', sequence: 1, amounts, turns: 1 }
    settle(account, release)
    const { session } = begin(table, 's', 500, { tokens: 20 })
    expect(session.account).toMatchObject({ limit: { tokens: 20 }, spent: { tokens: 0 }, turns: 0 })
    expect([settle(session.account, release), session.warm]).toEqual([false, undefined])
  })
})
