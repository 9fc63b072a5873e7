import { describe, expect, it } from '@jest/globals'
import type { Supervised } from './supervised.ts'
import { CRASH, createDrive, own } from './testing/sample-events.ts'

const { drive, ready, healthy, launched } = createDrive()
const exited = { kind: 'exited', report: CRASH } as const
const timer = (name: 'backoff' | 'reopen' | 'settle' | 'stable') =>
  ({ kind: 'timer', name }) as const
const hold = { kind: 'drain', deadlineMs: 1_000, onDeadline: 'force' } as const
const leftOf = (effects: readonly object[]) =>
  Object.fromEntries(
    effects.flatMap((effect) => {
      const { kind, name, ms } = effect as { kind: string; name: string; ms: number }
      const isOne = kind === 'arm_timer' && (name === 'settle' || name === 'stable')
      return isOne ? [[name, ms]] : []
    }),
  )

/** Ready again after `count` crashes, with the history they left. */
const crashedOften = (count: number, at = 0): Supervised => {
  let { pool } = ready(at)
  for (let crash = 0; crash < count; crash++) {
    const now = at + (crash + 1) * 100_000
    pool = drive(
      pool,
      [exited, own({ kind: 'gone' }), timer('backoff'), launched, healthy],
      now,
    ).pool
  }
  return pool
}

describe('a stable engine', () => {
  it('makes its crashes forgotten after 300 s, and closes the breaker after 60 [002-10c3]', () => {
    const { effects } = ready(1_000)
    expect(leftOf(effects)).toEqual({ settle: 60_000, stable: 300_000 })
    const pool = crashedOften(2)
    expect(pool.history.attempts).toBe(2)
    const stable = drive(pool, [timer('stable')])
    expect(stable.pool.history).toEqual({ ...pool.history, attempts: 0 })
    expect(stable.effects).toEqual([])
  })

  it('is not begun anew by a drain, an undrain or a fault of its device', () => {
    const { pool } = ready(0)
    const drained = drive(pool, [hold], 40_000)
    expect(leftOf(drained.effects)).toEqual({ settle: 20_000, stable: 260_000 })
    const back = drive(drained.pool, [{ kind: 'undrain' }], 100_000)
    expect(leftOf(back.effects)).toEqual({ settle: 0, stable: 200_000 })
    const faulty = drive(pool, [{ kind: 'device_fault', message: 'Lost.' }], 310_000)
    expect(leftOf(faulty.effects)).toEqual({ settle: 0, stable: 0 })
  })

  it('waits 1 s again after its crashes were forgotten', () => {
    const forgotten = drive(crashedOften(3), [timer('stable')]).pool
    const { pool } = drive(forgotten, [exited, own({ kind: 'gone' })], 900_000)
    expect(pool.state).toMatchObject({ kind: 'backoff' })
    expect((pool.state as { delayMs: number }).delayMs).toBeLessThanOrEqual(1_100)
  })
})

describe('the breaker', () => {
  /** Failed at about `at`, after four crashes within a minute. */
  const open = (at = 0): Supervised => {
    let { pool } = ready(at)
    for (let crash = 0; crash < 4; crash++) {
      const now = at + crash * 10_000
      pool = drive(pool, [exited, own({ kind: 'gone' }), timer('backoff')], now).pool
      pool = drive(pool, [launched, healthy], now).pool
    }
    return pool
  }

  it('says what ended it, when it is tried again and how to start it now', () => {
    const pool = open()
    expect(pool.state).toEqual({
      kind: 'failed',
      reason: 'breaker',
      message:
        'It ended 4 times within 60 s; one more try in 300 s, or when started by hand. ' +
        `Last: ${CRASH.message}`,
    })
    expect(pool.lastError).toMatch(/ Then: berth pools start a$/)
    expect(pool.history.openings).toBe(1)
  })

  it('closes after 60 s of a trial that holds', () => {
    const trial = drive(open(), [timer('reopen'), launched, healthy], 330_000)
    expect(trial.pool.history).toMatchObject({ openings: 1, total: 4 })
    const settled = drive(trial.pool, [timer('settle')], 390_000)
    expect(settled.pool.history).toEqual({ ...trial.pool.history, openings: 0 })
    const later = drive(settled.pool, [exited, own({ kind: 'gone' })], 400_000)
    expect(later.pool.state.kind).toBe('backoff')
  })

  it('opens again, for twice as long, when the trial ends before that', () => {
    const trial = drive(open(), [timer('reopen'), launched, healthy], 330_000)
    const again = drive(trial.pool, [exited, own({ kind: 'gone' })], 380_000)
    expect(again.pool.state).toMatchObject({ kind: 'failed', reason: 'breaker' })
    expect(again.effects).toContainEqual({ kind: 'arm_timer', name: 'reopen', ms: 600_000 })
  })

  it('has no trial for a pool that nobody wants, or that is not failed', () => {
    const stopped = drive(open(), [{ kind: 'stop', drainMs: 0 }])
    expect(drive(stopped.pool, [timer('reopen')]).pool).toBe(stopped.pool)
    const unwanted = { ...open(), isWanted: false }
    expect(drive(unwanted, [timer('reopen')]).pool).toBe(unwanted)
    const { pool } = ready()
    expect(drive(pool, [timer('reopen')]).pool).toBe(pool)
  })
})
