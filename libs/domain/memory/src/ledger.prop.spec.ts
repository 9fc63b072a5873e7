import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { concludeLoad, measureDevices, observeMemory, releaseMemory } from './follow-memory.ts'
import { balanceOf, DEFAULT_LEDGER_POLICY, emptyLedger, type Ledger } from './ledger.ts'
import { reserveMemory } from './reserve-memory.ts'

const TOTAL = 10_000
const DEVICES = ['0', '1']
const policy = { ...DEFAULT_LEDGER_POLICY, maxEntries: 5 }

/** An engine as it really is: how much of what was booked it has, and will ever have. */
interface Engine {
  readonly id: string
  readonly taken: number[]
  readonly wants: readonly number[]
  isEnding: boolean
}

type Step =
  | { readonly kind: 'load'; readonly bytes: readonly [number, number]; readonly truth: number }
  | { readonly kind: 'grow' | 'observe' | 'conclude' | 'end' | 'free'; readonly at: number }
  | { readonly kind: 'measure'; readonly isBlind: boolean }

const bytes = fc.integer({ min: 0, max: 6_000 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('load' as const),
    bytes: fc.tuple(bytes, bytes),
    truth: fc.double({ min: 0.5, max: 1.1, noNaN: true }),
  }),
  fc.record({
    kind: fc.constantFrom(
      'grow' as const,
      'observe' as const,
      'conclude' as const,
      'end' as const,
      'free' as const,
    ),
    at: fc.nat(9),
  }),
  fc.record({ kind: fc.constant('measure' as const), isBlind: fc.boolean() }),
)

/** A machine with two devices, and a ledger that is told what an agent can see. */
const createMachine = () => {
  let ledger: Ledger = emptyLedger(policy)
  let engines: Engine[] = []
  let nowMs = 0
  const inUse = (device: number) => engines.reduce((sum, { taken }) => sum + taken[device]!, 0)
  const usesOf = ({ taken }: Engine) =>
    DEVICES.map((deviceId, at) => ({ deviceId, bytes: taken[at]! }))
  const measure = (isBlind: boolean) => {
    ledger = measureDevices(
      ledger,
      DEVICES.map((deviceId, at) => ({
        ...{ deviceId, totalBytes: TOTAL },
        ...(!isBlind && { freeBytes: TOTAL - inUse(at) }),
      })),
      (nowMs += 1_000),
    ).ledger
  }
  const load = (bytes: readonly number[], truth: number) => {
    const perDevice = DEVICES.map((deviceId, at) => ({ deviceId, bytes: bytes[at]! }))
    const entryId = `${nowMs++}`
    const claim = { entryId, poolId: 'p', modelId: 'm', learnKey: bytes.join(), perDevice }
    const outcome = reserveMemory(ledger, claim)
    if (outcome.kind !== 'reserved') return
    ledger = outcome.ledger
    const wants = outcome.entry.shares.map((share) =>
      Math.floor(Math.min(share.reservedBytes, share.estimateBytes * truth)),
    )
    engines.push({ id: entryId, taken: [0, 0], wants, isEnding: false })
  }
  const turn = (kind: 'grow' | 'observe' | 'conclude' | 'end' | 'free', engine: Engine) => {
    if (kind === 'grow' && !engine.isEnding) {
      engine.taken.forEach(
        (_, at) => (engine.taken[at] = Math.ceil((engine.taken[at]! + engine.wants[at]!) / 2)),
      )
    }
    if (kind === 'observe') ledger = observeMemory(ledger, engine.id, usesOf(engine))
    if (kind === 'conclude' && !engine.isEnding) {
      engine.taken.splice(0, 2, ...engine.wants)
      ledger = concludeLoad(ledger, engine.id, usesOf(engine))
    }
    if (kind === 'end') {
      engine.isEnding = true
      ledger = releaseMemory(ledger, engine.id, nowMs)
    }
    if (kind === 'free' && engine.isEnding) engines = engines.filter((each) => each !== engine)
  }
  return {
    take: (each: Step) => {
      if (each.kind === 'load') load(each.bytes, each.truth)
      else if (each.kind === 'measure') measure(each.isBlind)
      else if (engines.length > 0) turn(each.kind, engines[each.at % engines.length]!)
    },
    measure,
    ledger: () => ledger,
    inUse,
    /** What all engines will have at most, when none of them ends. */
    promised: (device: number) =>
      engines.reduce(
        (sum, { taken, wants, isEnding }) =>
          sum + (isEnding ? taken[device]! : Math.max(taken[device]!, wants[device]!)),
        0,
      ),
  }
}

/** Found once: an engine that ends before a measurement shows what it had. */
const SEEN: Step[] = [
  { kind: 'load', bytes: [0, 2_778], truth: 1 },
  { kind: 'conclude', at: 0 },
  { kind: 'load', bytes: [0, 2_919], truth: 1 },
  { kind: 'end', at: 0 },
  { kind: 'load', bytes: [0, 3_829], truth: 0.6 },
]

describe('a ledger, whatever happens on its machine,', () => {
  it('never lets in more than a device has beside its headroom', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const machine = createMachine()
        machine.measure(false)
        for (const each of steps) {
          // Of a device that nobody can measure, nobody can promise that memory came back.
          machine.take(each.kind === 'measure' ? { ...each, isBlind: false } : each)
          for (const device of DEVICES.keys())
            expect(machine.promised(device)).toBeLessThanOrEqual(TOTAL * 0.8)
        }
      }),
      { numRuns: 1_000, examples: [[SEEN]] },
    )
  })

  it('has no figure below 0, and none where nothing was measured', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const machine = createMachine()
        for (const each of steps) {
          machine.take(each)
          for (const deviceId of DEVICES) {
            const balance = balanceOf(machine.ledger(), deviceId)
            expect(balance.pendingBytes).toBeGreaterThanOrEqual(0)
            expect(balance.availableBytes ?? 0).toBeGreaterThanOrEqual(0)
            const free = machine
              .ledger()
              .devices.find((device) => device.deviceId === deviceId)?.freeBytes
            expect(balance.availableBytes === undefined).toBe(free === undefined)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('keeps a bounded number of loads, and none for ever', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const machine = createMachine()
        for (const each of steps) {
          machine.take(each)
          expect(machine.ledger().entries.length).toBeLessThanOrEqual(policy.maxEntries)
        }
        for (let at = 0; at < 100; at++) machine.measure(false)
        expect(machine.ledger().entries.filter(({ state }) => state === 'releasing')).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('says the same whatever the order in which loads are seen', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 900 })), {
          ...{ minLength: 1, maxLength: 5 },
        }),
        fc.func(fc.integer()),
        (loads, order) => {
          const start = measureDevices(
            emptyLedger(policy),
            [{ deviceId: '0', totalBytes: TOTAL, freeBytes: TOTAL }],
            0,
          ).ledger
          const booked = loads.reduce((ledger, [bytes], at) => {
            const outcome = reserveMemory(ledger, {
              ...{ entryId: `${at}`, poolId: 'p', modelId: 'm', learnKey: `${at}` },
              perDevice: [{ deviceId: '0', bytes }],
            })
            return outcome.kind === 'reserved' ? outcome.ledger : ledger
          }, start)
          const seen = (indexes: readonly number[]) =>
            indexes.reduce(
              (ledger, at) =>
                observeMemory(ledger, `${at}`, [{ deviceId: '0', bytes: loads[at]![1] }]),
              booked,
            )
          const indexes = loads.map((_, at) => at)
          const shuffled = [...indexes].sort((a, b) => order(a) - order(b))
          expect(balanceOf(seen(shuffled), '0')).toEqual(balanceOf(seen(indexes), '0'))
        },
      ),
    )
  })
})
