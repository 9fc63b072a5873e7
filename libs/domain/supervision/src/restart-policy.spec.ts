import { describe, expect, it } from '@jest/globals'
import { seededRng, type Rng } from '@berth/kernel'
import { DEFAULT_POLICY } from './policy.ts'
import { NO_RESTARTS, decideRestart, recordStart, type RestartHistory } from './restart-policy.ts'
import { CRASH } from './testing/sample-events.ts'

const policy = DEFAULT_POLICY.restart
const steady: Rng = { float: () => 0.5, bytes: (count) => new Uint8Array(count) }

const delayOf = (history: Partial<RestartHistory>, more: { rng?: Rng; isDevice?: boolean } = {}) =>
  decideRestart(
    { ...NO_RESTARTS, ...history },
    more.isDevice ? { ...CRASH, kind: 'device_error' } : CRASH,
    policy,
    { now: 1_000_000, rng: more.rng ?? steady },
  )

describe('the backoff [003-TC-07]', () => {
  it.each([
    [0, 1_000],
    [1, 2_000],
    [2, 4_000],
    [3, 8_000],
    [4, 16_000],
    [5, 32_000],
    [6, 60_000],
    [20, 60_000],
  ])('after %i restarts is %i ms [002-10c, 002-10c2]', (attempts, delayMs) => {
    expect(delayOf({ attempts })).toEqual({ kind: 'restart', delayMs })
  })

  it('spreads by at most a tenth either way', () => {
    const rng = seededRng(7)
    const delays = Array.from({ length: 500 }, () => delayOf({ attempts: 3 }, { rng }))
    const ms = delays.map((decision) => (decision.kind === 'restart' ? decision.delayMs : NaN))
    expect(Math.min(...ms)).toBeGreaterThanOrEqual(7_200)
    expect(Math.max(...ms)).toBeLessThanOrEqual(8_800)
    expect(new Set(ms).size).toBeGreaterThan(100)
  })

  it('doubles after a device error, up to the same cap [002-26c]', () => {
    expect(delayOf({ attempts: 1 }, { isDevice: true })).toMatchObject({ delayMs: 4_000 })
    expect(delayOf({ attempts: 5 }, { isDevice: true })).toMatchObject({ delayMs: 60_000 })
  })

  it.each([
    ['shortest', 0, 900],
    ['longest', 1, 1_100],
  ])('is at its %s with a draw of %i', (_what, float, delayMs) => {
    const rng: Rng = { ...steady, float: () => float }
    expect(delayOf({}, { rng })).toEqual({ kind: 'restart', delayMs })
  })

  it('is never less than 2 s after the last start [003-FR-034]', () => {
    expect(delayOf({ lastStartAt: 999_900 })).toMatchObject({ delayMs: 1_900 })
  })
})

describe('the intensity [003-TC-07]', () => {
  it('allows a restart while fewer than three happened in the last minute [001-RST-1]', () => {
    const restarts = [950_000, 960_000]
    expect(delayOf({ restarts })).toMatchObject({ kind: 'restart' })
    expect(delayOf({ restarts: [...restarts, 970_000] })).toEqual({
      kind: 'give_up',
      reopenMs: 300_000,
    })
  })

  it('counts the restarts of the minute before the next start, not before the crash', () => {
    const restarts = [940_600, 950_000, 960_000]
    expect(delayOf({ restarts })).toMatchObject({ kind: 'restart', delayMs: 1_000 })
    expect(delayOf({ restarts: [941_000, ...restarts.slice(1)] })).toMatchObject({
      kind: 'restart',
    })
    expect(delayOf({ restarts: [941_001, ...restarts.slice(1)] })).toMatchObject({
      kind: 'give_up',
    })
  })

  it('counts every automatic start, and no other [001-RST-2]', () => {
    const first = recordStart(NO_RESTARTS, policy, { now: 10, isAutomatic: true })
    expect(first).toEqual({
      ...{ restarts: [10], attempts: 1, total: 1, lastStartAt: 10, openings: 0 },
    })
    const again = recordStart(first, policy, { now: 20, isAutomatic: true })
    expect(again).toMatchObject({ restarts: [10, 20], attempts: 2, total: 2, lastStartAt: 20 })
    const byHand = recordStart(again, policy, { now: 30, isAutomatic: false })
    expect(byHand).toEqual({ ...again, lastStartAt: 30 })
  })

  it.each([
    [0, 300_000],
    [1, 600_000],
    [2, 1_200_000],
    [3, 2_400_000],
    [4, 3_600_000],
    [40, 3_600_000],
  ])('opens the breaker for twice as long each time: after %i openings %i ms', (openings, ms) => {
    const restarts = [970_000, 980_000, 990_000]
    expect(delayOf({ restarts, openings })).toEqual({ kind: 'give_up', reopenMs: ms })
  })

  it('of an open breaker allows one trial: the next end opens it again', () => {
    expect(delayOf({ openings: 1 })).toEqual({ kind: 'give_up', reopenMs: 600_000 })
  })

  it('forgets restarts older than a minute', () => {
    expect(delayOf({ restarts: [900_000, 910_000, 920_000] })).toMatchObject({ kind: 'restart' })
    const recorded = recordStart({ ...NO_RESTARTS, restarts: [1, 2, 3] }, policy, {
      now: 100_000,
      isAutomatic: true,
    })
    expect(recorded.restarts).toEqual([100_000])
  })
})
