import { describe, expect, it } from '@jest/globals'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { DEFAULT_POLICY } from './policy.ts'
import { step } from './step.ts'
import type { Supervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'
import { addressOf, createDrive } from './testing/sample-events.ts'

interface Seen {
  readonly isBusy: boolean
  readonly progress: string
}

/** Runs a ready pool on the virtual clock; `look` is what the engine shows at a time. */
const serve = async (
  ms: number,
  look: (now: number) => Seen,
  policy = DEFAULT_POLICY,
): Promise<{ readonly pool: Supervised; readonly endedAt: number | undefined }> => {
  const clock = createSimClock()
  const rng = seededRng(1)
  let { pool } = createDrive().ready(clock.now())
  let endedAt: number | undefined
  const apply = (event: object) => {
    const whole = { ...addressOf(pool), ...event } as SupervisionEvent
    const next = step(pool, whole, { now: clock.now(), rng, policy, poolId: 'a' })
    pool = next.pool
    if (pool.state.kind === 'crashed') endedAt ??= clock.now()
    for (const effect of next.effects) {
      if (effect.kind === 'observe') apply({ kind: 'observed', ...look(clock.now()) })
      if (effect.kind === 'arm_timer' && effect.name === 'watch')
        clock.after(effect.ms, () => apply({ kind: 'timer', name: 'watch' }))
    }
  }
  apply({ kind: 'timer', name: 'watch' })
  await clock.advance(ms)
  return { pool, endedAt }
}

const busy = (progress: string): Seen => ({ isBusy: true, progress })
const IDLE: Seen = { isBusy: false, progress: '0' }

describe('a busy engine', () => {
  it('[003-AC-014] that does nothing for the stall limit is ended as hung, within a look of it', async () => {
    const { pool, endedAt } = await serve(100_000, (now) => (now < 10_000 ? IDLE : busy('0')))
    expect(pool.state).toMatchObject({ kind: 'crashed', report: { kind: 'hang' } })
    expect(endedAt).toBeGreaterThanOrEqual(70_000)
    expect(endedAt).toBeLessThanOrEqual(75_000)
    expect(pool.lastError).toContain('stall_timeout_s')
  })

  it('whose counters move slowly is left alone, however long its first token takes', async () => {
    const { pool } = await serve(600_000, (now) => busy(String(Math.floor(now / 50_000))))
    expect(pool.state.kind).toBe('ready')
  })

  it('starts its time anew after every moment without work', async () => {
    const { pool } = await serve(600_000, (now) =>
      now % 50_000 < 10_000 ? IDLE : busy('the same'),
    )
    expect(pool.state.kind).toBe('ready')
  })

  it('that is not ours is never judged: nobody could restart it', async () => {
    const policy = { ...DEFAULT_POLICY, hasProcess: false }
    const { pool } = await serve(600_000, () => busy('0'), policy)
    expect(pool.state.kind).toBe('ready')
  })
})

it('an idle engine may do nothing for ever', async () => {
  const { pool } = await serve(600_000, () => IDLE)
  expect(pool.state.kind).toBe('ready')
})

it('a drain does not reset the time of an engine that hangs', () => {
  const { drive, ready } = createDrive()
  const seen = { kind: 'observed', ...busy('0') } as unknown as SupervisionEvent
  const stalled = drive(ready().pool, [seen], 1_000)
  const drained = drive(
    stalled.pool,
    [{ kind: 'drain', deadlineMs: 1, onDeadline: 'force' }, { kind: 'undrain' }],
    40_000,
  )
  expect(drive(drained.pool, [seen], 61_000).pool.state).toMatchObject({
    kind: 'crashed',
    report: { kind: 'hang' },
  })
})
