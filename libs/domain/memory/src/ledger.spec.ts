import { describe, expect, it } from '@jest/globals'
import {
  cancelReservation,
  concludeLoad,
  measureDevices,
  observeMemory,
  releaseMemory,
} from './follow-memory.ts'
import { balanceOf, DEFAULT_LEDGER_POLICY, emptyLedger, type Ledger } from './ledger.ts'
import { type MemoryClaim, reserveMemory } from './reserve-memory.ts'

const GIB = 1024 ** 3

const gpu = (freeBytes: number, totalBytes = 24 * GIB) => ({ deviceId: '0', totalBytes, freeBytes })
const withFree = (freeGib: number): Ledger =>
  measureDevices(emptyLedger(), [gpu(freeGib * GIB)], 0).ledger
const claim = (entryId: string, gib: number, more: Partial<MemoryClaim> = {}): MemoryClaim => ({
  ...{ entryId, poolId: 'p', modelId: 'm', learnKey: 'k' },
  perDevice: [{ deviceId: '0', bytes: gib * GIB }],
  ...more,
})
const reserved = (ledger: Ledger, asked: MemoryClaim): Ledger => {
  const outcome = reserveMemory(ledger, asked)
  if (outcome.kind !== 'reserved') throw new Error(`${asked.entryId} is ${outcome.kind}`)
  return outcome.ledger
}
const available = (ledger: Ledger) => balanceOf(ledger, '0').availableBytes

describe('a reservation', () => {
  it('[000-T032] [000-FR-009] needs the estimate and 10 % beside a headroom of 20 % of the device', () => {
    // 24 GiB, of them 4.8 stay free: 15.2 of 20 are left. 13.8 x 1.1 = 15.18, 13.9 x 1.1 = 15.29.
    expect(reserveMemory(withFree(20), claim('a', 13.8)).kind).toBe('reserved')
    expect(reserveMemory(withFree(20), claim('a', 13.9))).toMatchObject({
      kind: 'refused',
      shortfalls: [
        {
          deviceId: '0',
          requiredBytes: Math.ceil(13.9 * GIB * 1.1),
          availableBytes: 20 * GIB,
          headroomBytes: Math.ceil(24 * GIB * 0.2),
          totalBytes: 24 * GIB,
        },
      ],
    })
  })

  it('[000-US1-4] of 8 GB does not fit into 4 GB', () => {
    const ledger = measureDevices(emptyLedger(), [gpu(4e9, 24e9)], 0).ledger
    expect(
      reserveMemory(ledger, { ...claim('a', 0), perDevice: [{ deviceId: '0', bytes: 8e9 }] }).kind,
    ).toBe('refused')
  })

  it('is what the next one cannot have', () => {
    const one = reserved(withFree(20), claim('a', 8))
    expect(reserveMemory(one, claim('b', 8)).kind).toBe('refused')
    expect(reserveMemory(cancelReservation(one, 'a'), claim('b', 8)).kind).toBe('reserved')
  })

  it('has no buffer where the engine takes a fixed share', () => {
    const outcome = reserveMemory(withFree(20), claim('a', 15.19, { isReservation: true }))
    expect(outcome).toMatchObject({ kind: 'reserved', entry: { correction: 1 } })
  })

  it('takes the headroom that was asked for', () => {
    expect(reserveMemory(withFree(20), claim('a', 18, { headroomShare: 0 })).kind).toBe('reserved')
  })

  it('of several devices needs its part of each', () => {
    const devices = [gpu(20 * GIB), { ...gpu(6 * GIB), deviceId: '1' }]
    const { ledger } = measureDevices(emptyLedger(), devices, 0)
    const perDevice = [
      { deviceId: '0', bytes: 4 * GIB },
      { deviceId: '1', bytes: 4 * GIB },
    ]
    expect(reserveMemory(ledger, claim('a', 0, { perDevice }))).toMatchObject({
      kind: 'refused',
      shortfalls: [{ deviceId: '1' }],
    })
  })

  it('is let in where nothing can be measured, and says so', () => {
    expect(reserveMemory(emptyLedger(), claim('a', 8))).toMatchObject({
      kind: 'reserved',
      unmeasured: ['0'],
    })
  })

  it('counts what is booked where only the total is known', () => {
    const { ledger } = measureDevices(emptyLedger(), [{ deviceId: '0', totalBytes: 24 * GIB }], 0)
    const one = reserved(ledger, claim('a', 10))
    expect(balanceOf(one, '0')).not.toHaveProperty('availableBytes')
    expect(reserveMemory(one, claim('b', 10)).kind).toBe('refused')
    expect(reserveMemory(one, claim('b', 7)).kind).toBe('reserved')
  })

  it('is refused when the ledger is full', () => {
    const policy = { ...DEFAULT_LEDGER_POLICY, maxEntries: 1 }
    const one = reserved(emptyLedger(policy), claim('a', 1))
    expect(reserveMemory(one, claim('b', 1))).toEqual({ kind: 'full', maxEntries: 1 })
  })
})

describe('what is available', () => {
  it('is measured free less what is booked and not taken yet', () => {
    const booked = reserved(withFree(20), claim('a', 10))
    expect(available(booked)).toBe(9 * GIB)
    // Six of the eleven are taken: free memory shows it, and they no longer count twice.
    const loading = observeMemory(booked, 'a', [{ deviceId: '0', bytes: 6 * GIB }])
    const measured = measureDevices(loading, [gpu(14 * GIB)], 0).ledger
    expect(available(measured)).toBe(9 * GIB)
    const done = concludeLoad(measured, 'a', [{ deviceId: '0', bytes: 9.5 * GIB }])
    expect(available(measureDevices(done, [gpu(10.5 * GIB)], 0).ledger)).toBe(10.5 * GIB)
  })

  it('does not believe free memory that was measured before an engine had what it has', () => {
    const booked = reserved(withFree(20), claim('a', 10))
    const done = concludeLoad(booked, 'a', [{ deviceId: '0', bytes: 9 * GIB }])
    expect(available(done)).toBe(11 * GIB)
  })

  it('is not known while free memory is not', () => {
    expect(balanceOf(emptyLedger(), '0')).toEqual({
      ...{ deviceId: '0', pendingBytes: 0, headroomBytes: 0 },
    })
  })
})

describe('memory of an engine that ended', () => {
  const ended = () => {
    const done = concludeLoad(reserved(withFree(20), claim('a', 10)), 'a', [
      { deviceId: '0', bytes: 10 * GIB },
    ])
    return releaseMemory(measureDevices(done, [gpu(10 * GIB)], 0).ledger, 'a', 1_000)
  }

  it('makes the next load wait until it is measured free', () => {
    const waiting = reserveMemory(ended(), claim('b', 10))
    expect(waiting).toMatchObject({
      kind: 'wait',
      deadlineMs: 61_000,
      releasing: [{ entryId: 'a' }],
    })
    const half = measureDevices(ended(), [gpu(15 * GIB)], 2_000)
    expect(half.freed).toEqual([])
    const free = measureDevices(half.ledger, [gpu(19.9 * GIB)], 3_000)
    expect(free.freed.map(({ entryId }) => entryId)).toEqual(['a'])
    expect(reserveMemory(free.ledger, claim('b', 10)).kind).toBe('reserved')
  })

  it('is free when its processes have none of it any more', () => {
    const none = observeMemory(ended(), 'a', [{ deviceId: '0', bytes: 0 }])
    expect(measureDevices(none, [gpu(10 * GIB)], 2_000).freed).toHaveLength(1)
  })

  it('is not there for others while the last measurement is from before it was taken', () => {
    const taken = concludeLoad(reserved(withFree(20), claim('a', 10)), 'a', [
      { deviceId: '0', bytes: 10 * GIB },
    ])
    expect(available(releaseMemory(taken, 'a', 0))).toBe(10 * GIB)
    // One that was still loading may have had all it had booked.
    const loading = releaseMemory(reserved(withFree(20), claim('a', 10)), 'a', 0)
    expect(available(loading)).toBe(9 * GIB)
    expect(available(measureDevices(loading, [gpu(12 * GIB)], 1).ledger)).toBe(12 * GIB)
  })

  it('is given up on at the deadline, with what is still held', () => {
    const stuck = measureDevices(ended(), [gpu(12 * GIB)], 61_000)
    expect(stuck.ledger.entries).toEqual([])
    // Four were in use by others from the start: 24 - 12 are in use now.
    expect(stuck.overdue).toMatchObject([
      { entry: { entryId: 'a' }, held: [{ deviceId: '0', unexplainedBytes: 12 * GIB }] },
    ])
  })

  it('is not waited for where free memory cannot be measured', () => {
    const { ledger } = measureDevices(emptyLedger(), [{ deviceId: '0', totalBytes: 24 * GIB }], 0)
    const released = releaseMemory(reserved(ledger, claim('a', 10)), 'a', 0)
    expect(measureDevices(released, ledger.devices, 1).freed).toHaveLength(1)
  })

  it('is not taken for free because another one gave back as much', () => {
    const both = ['a', 'b'].reduce(
      (ledger, id) =>
        concludeLoad(reserved(ledger, claim(id, 4)), id, [{ deviceId: '0', bytes: 4 * GIB }]),
      withFree(24),
    )
    const loaded = measureDevices(both, [gpu(16 * GIB)], 0).ledger
    const releasing = ['a', 'b'].reduce((ledger, id) => releaseMemory(ledger, id, 0), loaded)
    const one = measureDevices(releasing, [gpu(20 * GIB)], 1)
    expect(one.freed).toEqual([])
    expect(measureDevices(one.ledger, [gpu(24 * GIB)], 2).freed).toHaveLength(2)
  })
})

describe('a ledger', () => {
  it('learns from a load what the next one like it takes', () => {
    const first = reserved(withFree(20), claim('a', 10))
    const taught = concludeLoad(first, 'a', [{ deviceId: '0', bytes: 12 * GIB }])
    const free = measureDevices(cancelReservation(taught, 'a'), [gpu(20 * GIB)], 0).ledger
    expect(reserveMemory(free, claim('b', 10))).toMatchObject({
      kind: 'reserved',
      entry: { correction: 1.2, shares: [{ reservedBytes: Math.ceil(10 * GIB * (1.2 * 1.1)) }] },
    })
    expect(reserveMemory(free, claim('b', 10, { learnKey: 'other' }))).toMatchObject({
      entry: { correction: 1 },
    })
  })

  it('learns nothing of devices that nobody measured', () => {
    const first = reserved(withFree(20), claim('a', 10))
    expect(concludeLoad(first, 'a', []).corrections).toEqual([])
  })

  it('does not mind measurements of loads that are gone', () => {
    const ledger = withFree(20)
    expect(concludeLoad(ledger, 'gone', [{ deviceId: '0', bytes: 1 }])).toEqual(ledger)
    expect(releaseMemory(ledger, 'gone', 0)).toEqual(ledger)
  })
})
