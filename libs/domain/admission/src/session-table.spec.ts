import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createAccount } from './budget-account.ts'
import { sessionKey, type ClientSession } from './session.ts'
import { createSessionTable, type SessionTable } from './session-table.ts'

const session = (tenant: string, sessionId: string): ClientSession => ({
  ...{ tenant, sessionId, usedAtMs: 0, open: 0, warm: undefined },
  account: createAccount(sessionKey(tenant, sessionId), 'session', {}),
})
const put = (table: SessionTable, tenant: string, sessionId: string, open = 0) =>
  table.set(sessionKey(tenant, sessionId), { ...session(tenant, sessionId), open })

describe('a table of sessions that is full', () => {
  it('asks the tenant with the most of them for the one it used longest ago', () => {
    const table = createSessionTable()
    put(table, 'few', 'oldest')
    for (const id of ['a', 'b', 'c']) put(table, 'many', id)
    put(table, 'many', 'a')
    expect(table.leastUsed()).toBe('many/b')
  })

  it('asks the tenant that was here longest ago where several have as many', () => {
    const table = createSessionTable()
    for (const tenant of ['x', 'y', 'z']) put(table, tenant, 's')
    put(table, 'x', 's')
    expect(table.leastUsed()).toBe('y/s')
  })

  it('asks the next tenant when all that the first has run', () => {
    const table = createSessionTable()
    for (const id of ['a', 'b', 'c']) put(table, 'many', id, 1)
    expect(table.leastUsed()).toBeUndefined()
    put(table, 'few', 's')
    expect(table.leastUsed()).toBe('few/s')
    put(table, 'many', 'd')
    expect(table.leastUsed()).toBe('many/d')
  })

  it('chooses as one that counts all of them anew each time', () => {
    const change = fc.record({
      tenant: fc.constantFrom('x', 'y', 'z'),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      what: fc.constantFrom('put', 'put', 'delete', 'drop'),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const table = createSessionTable()
        let order: string[] = []
        for (const { tenant, id, what } of changes) {
          const key = what === 'drop' ? (table.leastUsed() ?? '') : sessionKey(tenant, id)
          order = order.filter((one) => one !== key)
          if (what === 'put') {
            put(table, tenant, id)
            order.push(key)
          } else table.delete(key)
          expect([...table].map(([one]) => one)).toEqual(order)
          const of = (one: string) => order.filter((other) => other[0] === one[0])
          const most = Math.max(0, ...order.map((one) => of(one).length))
          const oldest = order.filter((one) => of(one).length === most && of(one)[0] === one)
          expect(oldest.concat(order.length === 0 ? [undefined as never] : [])).toContain(
            table.leastUsed(),
          )
        }
      }),
      { numRuns: 100 },
    )
  })
})
