import { describe, expect, it } from '@jest/globals'
import { BerthError, seededRng, type HostId } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { readLeaseToken, type LeaseKey } from '@berth/lease'
import { createSilentLogger } from '@berth/runtime'
import { createKeyRing } from './key-delivery.ts'

const H1 = 'h1' as HostId
const delivery = { hostId: H1, epoch: 1, term: 5, grpcAddress: 'h1:7080' }

/** A ring whose agent answers with `answers` in turn, then takes the key. */
const createRing = (...answers: BerthError[]) => {
  const clock = createSimClock()
  const tries: number[] = []
  const keys: LeaseKey[] = []
  const keyed: unknown[] = []
  const stale: number[] = []
  const ring = createKeyRing({
    ...{ clock, rng: seededRng(1), log: createSilentLogger(), coreId: 'core-1' },
    install: async (_delivery, key) => {
      tries.push(clock.now())
      const answer = answers.shift()
      if (answer) throw answer
      keys.push(key)
    },
    onKeyed: (...told) => keyed.push(told),
    onStaleTerm: (seenTerm) => stale.push(seenTerm),
  })
  return { clock, ring, tries, keys, keyed, stale }
}
const down = () => new BerthError('RPC_UNAVAILABLE', 'Nobody answers.')

describe('the key ring', () => {
  it('tries again with doubling pauses until the agent takes the key', async () => {
    const { clock, ring, tries, keyed } = createRing(down(), down(), down())
    ring.deliver(delivery)
    await clock.advance(10_000)
    expect(tries).toEqual([0, 100, 300, 700])
    expect(keyed).toEqual([['h1', 1, 5]])
  })

  it('never pauses longer than 5 s, and stops when the host is forgotten', async () => {
    const { clock, ring, tries } = createRing(...Array.from({ length: 99 }, down))
    ring.deliver(delivery)
    await clock.advance(60_000)
    expect(tries.at(-1)! - tries.at(-2)!).toBe(5_000)
    ring.forget(H1)
    const count = tries.length
    await clock.advance(60_000)
    expect(tries).toHaveLength(count)
    expect(clock.pending()).toBe(0)
  })

  it('ends at once when the agent has begun another life', async () => {
    const { clock, ring, tries, keyed } = createRing(new BerthError('STALE_EPOCH', 'Another life.'))
    ring.deliver(delivery)
    await clock.advance(60_000)
    expect([tries.length, keyed.length]).toEqual([1, 0])
  })

  it('tells of the higher term an agent knows', async () => {
    const stale = new BerthError('STALE_TERM', 'Term 9 leads.', { facts: { term: 9 } })
    const { clock, ring, stale: seen } = createRing(stale)
    ring.deliver(delivery)
    await clock.advance(1)
    expect(seen).toEqual([9])
  })

  it('signs what the delivered key reads, with another key for another host and term', async () => {
    const { clock, ring, keys } = createRing()
    ring.deliver(delivery)
    ring.deliver({ ...delivery, hostId: 'h2' as HostId })
    await clock.advance(1)
    const claims = { leaseId: 'l', poolId: 'p', epoch: 1, modelId: 'm', expiresAtMs: 1 }
    const token = ring.mint({ ...claims, hostId: 'h1', term: 5 })
    expect(readLeaseToken([keys[0]!], token)).toMatchObject({ ok: true })
    expect(keys[0]!.key).not.toEqual(keys[1]!.key)
    ring.deliver({ ...delivery, term: 6 })
    await clock.advance(1)
    expect(keys[2]).toMatchObject({ keyId: 't6' })
    expect(keys[2]!.key).not.toEqual(keys[0]!.key)
  })
})
