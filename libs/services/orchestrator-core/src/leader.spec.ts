import { afterEach, describe, expect, it } from '@jest/globals'
import { BUCKETS } from '@berth/bus'
import { createMemoryBus, createMemoryServer } from '@berth/bus/testing'
import { createSimClock } from '@berth/kernel/testing'
import { createSilentLogger } from '@berth/runtime'
import { startLeader, type Leader } from './leader.ts'

/** Cores that compete on one bus; each keeps its last word in `roles`. */
const createField = () => {
  const clock = createSimClock()
  const server = createMemoryServer({ clock })
  const roles: Record<string, string> = {}
  const leading: number[] = []
  const enter = async (coreId: string) => {
    const bus = createMemoryBus({ clock, server })
    const leader = startLeader({
      ...{ clock, coreId, address: `${coreId}:7070`, ttlMs: 2_000, renewMs: 500 },
      kv: await bus.openKv(BUCKETS.leader),
      terms: await bus.openKv(BUCKETS.terms),
      log: createSilentLogger(),
      events: {
        onLeading: (term) => {
          leading.push(term)
          roles[coreId] = `leads ${term}`
        },
        onFollowing: (_term, address) => (roles[coreId] = `follows ${address}`),
      },
    })
    open.push(leader)
    await clock.advance(0)
    return { bus, leader }
  }
  return { clock, roles, leading, enter }
}
const open: Leader[] = []

afterEach(async () => {
  for (const leader of open.splice(0)) await leader[Symbol.asyncDispose]()
})

describe('the leader lease', () => {
  it('goes to the first core; the second knows where the first is', async () => {
    const { clock, roles, enter } = createField()
    await enter('a')
    await enter('b')
    await clock.advance(10_000)
    expect(roles).toEqual({ a: 'leads 1', b: 'follows a:7070' })
  })

  it('goes on under a higher term within 3 s after its leader is cut off', async () => {
    const { clock, roles, leading, enter } = createField()
    const { bus } = await enter('a')
    await enter('b')
    await clock.advance(1_000)
    bus.disconnect()
    await clock.advance(3_000)
    expect(leading).toHaveLength(2)
    expect(leading[1]).toBeGreaterThan(leading[0]!)
    // Nobody told it yet: it leads on, and everyone it commands checks its term.
    expect(roles['a']).toBe('leads 1')
    bus.reconnect()
    await clock.advance(1_000)
    expect(roles['a']).toBe('follows b:7070')
  })

  it('is taken within half a second of its end, which a standby that missed a renewal awaits', async () => {
    const { clock, leading, enter } = createField()
    const { bus } = await enter('a')
    await enter('b')
    await clock.advance(10_000)
    bus.disconnect()
    // Renewed 500 ms before at most, so it ends between 1.5 and 2 s from now.
    await clock.advance(2_200)
    expect(leading).toHaveLength(2)
  })

  it('is given back at once by a leader that ends', async () => {
    const { clock, roles, enter } = createField()
    const { leader } = await enter('a')
    await enter('b')
    await clock.advance(1_000)
    await leader[Symbol.asyncDispose]()
    await clock.advance(500)
    expect(roles['a']).toMatch('follows')
    expect(roles['b']).toMatch('leads')
  })

  it('is held under a term above any that was seen, after its leader resigned to one', async () => {
    const { clock, roles, leading, enter } = createField()
    const { leader } = await enter('a')
    leader.resign(40)
    expect(roles['a']).toBe('follows ')
    await clock.advance(1_000)
    expect(leading).toEqual([1, 41])
  })

  it('is held under a term above all that were taken, also by a core that saw none of them', async () => {
    const { clock, leading, enter } = createField()
    const { leader } = await enter('a')
    leader.resign(40)
    await clock.advance(1_000)
    await leader[Symbol.asyncDispose]()
    await enter('b')
    await clock.advance(1_000)
    expect(leading).toEqual([1, 41, 42])
  })

  it('is held under terms that differ when cores keep losing it to each other', async () => {
    const { clock, leading, enter } = createField()
    const { bus: first, leader } = await enter('a')
    leader.resign(9)
    const { bus: second } = await enter('b')
    for (const bus of [first, second, first, second]) {
      await clock.advance(1_000)
      bus.disconnect()
      await clock.advance(3_000)
      bus.reconnect()
    }
    expect(leading.length).toBeGreaterThan(4)
    expect(leading).toEqual([...new Set(leading)].sort((a, b) => a - b))
  })

  it('is not resigned from for a term as high as its own', async () => {
    const { roles, enter } = createField()
    const { leader } = await enter('a')
    leader.resign(1)
    expect(roles['a']).toBe('leads 1')
  })
})
