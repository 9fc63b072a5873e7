import { describe, expect, it } from '@jest/globals'
import { release } from '@berth/fleet'
import { runSeed, type SeedOptions, type SeedResult } from '@berth/sim'

const HOSTS = 2
const MAX_SEEDS = 100

type Sabotage = NonNullable<SeedOptions['sabotage']>

/** Core forgets what it has granted the moment it has granted it. */
const ignoreReservations: Sabotage = () => ({
  onCoreEvent: ({ coordinator: { core } }, event) => {
    if (event.kind !== 'job_ended' || event.outcome !== 'dispatched') return
    if (event.poolId) release(core.view, event.poolId)
  },
})

/** The door lets in more requests than the engine has slots, and core believes it. */
const ignoreSlots: Sabotage = () => ({
  onTaken: (host) => {
    for (const { slots, spec } of host.pools.values()) slots.resize(spec.engine.slots + 20)
  },
})

/** Gateways keep their leases for ever. */
const neverRelease: Sabotage = (fleet) => ({
  onCoreEvent: () => {
    for (const { service } of fleet.gateways) {
      if (service) service.session.release = () => undefined
    }
  },
})

/** A leader forgets which releases it has counted, and counts them again when they are told again. */
const countAgain: Sabotage = () => ({
  onCoreEvent: ({ coordinator: { core } }) => {
    for (const account of core.ledger.keys.values()) account.reached.clear()
  },
})

/** What is set aside is forgotten: jobs spend it twice. */
const setNothingAside: Sabotage = () => ({
  onCoreEvent: ({ coordinator: { core } }) => {
    for (const account of core.ledger.keys.values()) {
      account.reserved = { ...account.reserved, tokens: 0 }
    }
  },
})

const findFirst = async (sabotage: Sabotage): Promise<SeedResult | undefined> => {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const result = await runSeed({ seed, hosts: HOSTS, sabotage })
    if (result.violations.length > 0) return result
  }
  return undefined
}

describe('the simulator', () => {
  it.each([
    [
      'a core that forgets what it granted',
      ignoreReservations,
      /leases hold|slots are granted|not reserved/,
    ],
    ['a door that lets in more than an engine has slots', ignoreSlots, /requests in \d+ slots/],
    ['gateways that never give a lease back', neverRelease, /leases are held/],
    ['a ledger that counts releases twice', countAgain, /is charged/],
    ['a ledger that sets nothing aside', setNothingAside, /tokens set aside/],
  ])(
    'finds %s within a hundred seeds',
    async (_, sabotage, violation) => {
      const found = await findFirst(sabotage)
      expect(found?.violations.join('\n')).toMatch(violation)
    },
    120_000,
  )
})
