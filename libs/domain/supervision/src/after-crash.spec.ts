import { describe, expect, it } from '@jest/globals'
import type { CrashReport } from './driver.ts'
import type { Supervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'
import { CRASH, createDrive, own } from './testing/sample-events.ts'

const { drive, ready, healthy, missed, launched } = createDrive()
const gone = own({ kind: 'gone' })
const timer = (name: 'backoff' | 'kill' | 'load' | 'watch') => ({ kind: 'timer', name }) as const
const busy = { kind: 'observed', isBusy: true, progress: '1' } as unknown as SupervisionEvent
const exitedWith = (change: Partial<CrashReport>) =>
  ({ kind: 'exited', report: { ...CRASH, ...change } }) as const
const ended = (effects: readonly { readonly kind: string }[]) =>
  effects.filter(({ kind }) => kind === 'instance_ended')

describe('an engine that is not to be started again', () => {
  it.each([
    ['model_not_found', 'model'],
    ['model_invalid', 'model'],
    ['bad_option', 'config'],
    ['access_denied', 'config'],
  ] as const)('(%s) fails its pool for its %s, with its end told', (kind, reason) => {
    const report = exitedWith({ kind, isRetriable: false })
    const { pool, effects } = drive(ready().pool, [report, gone], 9_000)
    expect(pool.state).toEqual({ kind: 'failed', reason, message: CRASH.message })
    expect(pool.lastError).toBe(`${CRASH.message} Then: berth pools start a`)
    expect(ended(effects)).toEqual([
      {
        kind: 'instance_ended',
        instanceId: expect.any(String),
        report: { ...CRASH, kind, isRetriable: false },
      },
    ])
  })
})

describe('an engine that ends', () => {
  it('is told with the wait until the next, and not with an exit that nobody saw', () => {
    const { pool, effects } = drive(ready().pool, [exitedWith({}), gone], 9_000)
    const backoffMs = (pool.state as { delayMs: number }).delayMs
    expect(ended(effects)).toEqual([
      { kind: 'instance_ended', instanceId: expect.any(String), report: CRASH, backoffMs },
    ])
    expect(effects).toContainEqual({ kind: 'arm_timer', name: 'backoff', ms: backoffMs })
    expect(pool.state).toEqual({ kind: 'backoff', delayMs: backoffMs, report: CRASH })
  })

  it('while nobody wants it leaves its pool stopped, with its end told', () => {
    const unwanted = drive(ready().pool, [exitedWith({}), { kind: 'stop', drainMs: 0 }, gone])
    expect(unwanted.pool).toMatchObject({
      state: { kind: 'stopped' },
      reason: 'stop was asked for',
      since: 0,
    })
    expect(ended(unwanted.effects)).toHaveLength(1)
  })

  it('on a device at fault waits for the device, with its end told', () => {
    const fault = { kind: 'device_fault', message: 'Lost.' } as const
    const { pool, effects } = drive(ready().pool, [fault, exitedWith({}), gone])
    expect(pool).toMatchObject({ state: { kind: 'failed', message: 'Lost.' }, lastError: 'Lost.' })
    expect(ended(effects)).toHaveLength(1)
  })

  it('by itself is a stop when it ends with 0 while it starts', () => {
    const loading = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }, gone, launched])
    const stopped = exitedWith({ kind: 'stopped', message: 'It ended cleanly.' })
    const after = drive(loading.pool, [stopped, gone], 3_000)
    expect(after.pool).toMatchObject({ state: { kind: 'stopped' }, isWanted: false, lastError: '' })
    expect(after.pool.reason).toBe('It ended cleanly.')
  })
})

describe('a load', () => {
  const timeOut = (pool: Supervised, now: number) =>
    drive(drive(pool, [launched], now).pool, [timer('load')], now + 600_000)

  it('that times out is tried twice more, and says after how many starts it was given up [003-FR-047, 003-AC-040]', () => {
    let { pool } = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }, gone])
    for (const at of [1, 2, 3]) {
      expect(pool.state.kind).toBe('preparing')
      const late = timeOut(pool, at * 700_000)
      const told = drive(late.pool, [gone])
      expect(ended(told.effects)).toHaveLength(1)
      pool = drive(told.pool, [timer('backoff')]).pool
    }
    expect(pool.state).toEqual({
      kind: 'failed',
      reason: 'model',
      message:
        'Gave up after 3 starts. Not ready 600 s after the start. ' +
        'Look at its log, or raise lifecycle.model_load_timeout_s.',
    })
  })

  it('that succeeds makes the ones before it forgotten, as another kind of end does', () => {
    const restarted = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }, gone])
    const once = drive(timeOut(restarted.pool, 700_000).pool, [gone, timer('backoff')])
    expect(once.pool.failedLoads).toBe(1)
    expect(drive(once.pool, [launched, healthy]).pool.failedLoads).toBe(0)
    const crashed = drive(once.pool, [launched, exitedWith({}), gone])
    expect(crashed.pool.failedLoads).toBe(0)
  })

  it('is measured from its start, in tenths of a second', () => {
    const restarted = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }, gone])
    const started = drive(restarted.pool, [launched], 5_000)
    const late = drive(started.pool, [timer('load')], 605_260)
    expect(late.pool.lastError).toMatch(/^Not ready 600\.3 s after the start\./)
  })
})

describe('a group that outlives SIGKILL', () => {
  it('is told of from the second time on', () => {
    const stopping = drive(ready().pool, [{ kind: 'stop', drainMs: 0 }])
    const once = drive(stopping.pool, [timer('kill')])
    expect(once.pool.lastError).toBe('')
    const twice = drive(once.pool, [timer('kill')])
    expect(twice.pool.state).toMatchObject({ kind: 'stopping', kills: 2 })
    expect(twice.pool.lastError).toBe(
      'Its processes outlive SIGKILL: the kernel holds them. See ps -o stat,wchan.',
    )
  })
})

describe('a hang', () => {
  it('is told with the time nothing was produced, and is tried again', () => {
    const seen = drive(ready().pool, [busy], 1_000)
    const hung = drive(seen.pool, [busy], 61_260)
    expect(hung.pool.state).toMatchObject({
      kind: 'crashed',
      report: {
        kind: 'hang',
        message:
          'It produced nothing for 60.3 s while requests waited for it. ' +
          'Where so long a silence is normal, raise lifecycle.stall_timeout_s.',
        isRetriable: true,
      },
    })
    expect(hung.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
    expect(hung.pool.lastError).toMatch(/See: berth pools history a, berth pools logs a$/)
  })

  it.each([
    [60_000, 5_000],
    [8_000, 2_000],
    [200, 100],
  ])('with a limit of %i ms is looked for every %i ms', (stallTimeoutMs, ms) => {
    const { effects } = createDrive({ stallTimeoutMs }).ready()
    expect(effects).toContainEqual({ kind: 'arm_timer', name: 'watch', ms })
  })
})

describe('missed checks', () => {
  it('of an engine under load come at the usual interval, of an idle one at its own', () => {
    const slow = createDrive({ idleProbeIntervalMs: 60_000 })
    const { pool } = slow.ready()
    const idle = slow.drive(pool, [healthy])
    expect(idle.effects).toEqual([{ kind: 'arm_timer', name: 'probe', ms: 60_000 }])
    const loaded = slow.drive(pool, [{ ...healthy, isIdle: false }])
    expect(loaded.effects).toEqual([{ kind: 'arm_timer', name: 'probe', ms: 5_000 }])
    const after = slow.drive(pool, [missed])
    expect(after.effects).toEqual([{ kind: 'arm_timer', name: 'probe', ms: 5_000 }])
  })

  it('of a pool that fails open are counted and told, and it is asked again [002-24a2]', () => {
    const open = createDrive({ isFailOpen: true })
    const { pool, effects } = open.drive(open.ready().pool, [missed, missed, missed])
    expect(pool).toMatchObject({
      state: { kind: 'ready', failures: 3, isDegraded: true },
      lastError: '/health answered 503',
    })
    expect(effects).toEqual([{ kind: 'arm_timer', name: 'probe', ms: 5_000 }])
    expect(open.drive(pool, [healthy]).pool.state).toMatchObject({ failures: 0, isDegraded: false })
  })
})

describe('what a pool keeps over a drain', () => {
  it('are its missed checks, its slowness and since when it stands still', () => {
    const slow = { ...healthy, result: { verdict: 'degraded' } } as const
    const seen = drive(ready().pool, [slow, missed, busy], 2_000)
    const hold = { kind: 'drain', deadlineMs: 1, onDeadline: 'abort' } as const
    const kept = {
      readyAt: 0,
      failures: 1,
      isDegraded: true,
      stall: { progress: '1', since: 2_000 },
    }
    const held = drive(seen.pool, [hold], 3_000)
    expect(held.pool.state).toMatchObject({ kind: 'draining', onDeadline: 'abort', ...kept })
    const back = drive(held.pool, [{ kind: 'timer', name: 'drain' }], 4_000)
    expect(back.pool).toMatchObject({
      state: { kind: 'ready', ...kept },
      isCordoned: false,
      reason: 'the drain was given up at its deadline',
    })
  })

  it('says who holds it when it is loaded while drained, or while its device is at fault', () => {
    const starting = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }, gone, launched])
    const hold = { kind: 'drain', deadlineMs: 1, onDeadline: 'abort' } as const
    expect(drive(starting.pool, [hold, healthy]).pool).toMatchObject({
      state: { kind: 'draining', goal: 'hold', onDeadline: 'force' },
      reason: 'probes pass; a drain holds the pool',
    })
    const fault = { kind: 'device_fault', message: 'Lost.' } as const
    expect(drive(starting.pool, [fault, healthy]).pool.reason).toBe(
      'probes pass; a fault of its device holds the pool',
    )
  })
})

it('a pool that was never started has nothing to tell', () => {
  const { pool } = drive(ready().pool, [])
  expect(pool.transitions).toHaveLength(3)
  expect(pool).toMatchObject({ isCordoned: false, lastError: '', failedLoads: 0 })
})
