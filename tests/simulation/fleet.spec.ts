import { describe, expect, it } from '@jest/globals'
import { runSeed } from '@berth/sim'
import { expectClean } from './src/expect-clean.ts'
import { knownSeeds } from './src/known-seeds.ts'

const HOSTS = 3
const SEEDS = 50
const BATCH = 10
const BATCH_TIMEOUT_MS = 120_000

const seedsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index)

describe('a fleet under drawn faults', () => {
  it.each(seedsFrom(0, SEEDS / BATCH).map((batch) => 1 + batch * BATCH))(
    'keeps every promise and comes to rest afterwards: ten seeds from %i',
    async (first) => {
      const results = []
      for (const seed of seedsFrom(first, BATCH)) {
        results.push(await expectClean({ seed, hosts: HOSTS }))
      }
      // A fleet that serves nobody keeps its promises too.
      const completed = results.map(({ outcomes }) => outcomes['completed'] ?? 0)
      expect(Math.min(...completed)).toBeGreaterThan(0)
    },
    BATCH_TIMEOUT_MS,
  )

  it(
    'keeps every promise when each event on the bus is lost: events are speed, snapshots truth',
    async () => {
      for (const seed of seedsFrom(1_000, BATCH)) {
        await expectClean({ seed, hosts: HOSTS, losesEvents: true })
      }
    },
    BATCH_TIMEOUT_MS,
  )

  it('stays clean for every seed that once was not', async () => {
    for (const { seed, hosts } of knownSeeds()) await expectClean({ seed, hosts })
  }, 600_000)
})

describe('a seed', () => {
  it('leads to the same run again, and another seed to another', async () => {
    const [first, again, other] = [
      await runSeed({ seed: 7, hosts: HOSTS }),
      await runSeed({ seed: 7, hosts: HOSTS }),
      await runSeed({ seed: 8, hosts: HOSTS }),
    ]
    expect(again.digest).toBe(first.digest)
    expect(again.outcomes).toEqual(first.outcomes)
    expect(other.digest).not.toBe(first.digest)
    expect(first.traceLines).toBeGreaterThan(500)
  }, 60_000)
})
