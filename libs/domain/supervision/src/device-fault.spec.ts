import { describe, expect, it } from '@jest/globals'
import { newSupervised } from './supervised.ts'
import { CRASH, createDrive, own } from './testing/sample-events.ts'

const { drive, ready, healthy, missed, launched } = createDrive()
const REMEDY = 'The GPU has left the bus. Reboot the host.'
const fault = { kind: 'device_fault', message: REMEDY } as const
const ok = { kind: 'device_ok' } as const
const exited = { kind: 'exited', report: CRASH } as const
const timer = (name: 'backoff' | 'drain') => ({ kind: 'timer', name }) as const
const launches = (effects: readonly { readonly kind: string }[]) =>
  effects.filter(({ kind }) => kind === 'launch').length

describe('a pool whose device fails', () => {
  it('is ready no more at once, says what to do, and its engine is left alone [002-26c, 002-26c2]', () => {
    const { pool, effects } = drive(ready().pool, [fault])
    expect(pool).toMatchObject({
      state: { kind: 'draining', goal: 'hold' },
      lastError: REMEDY,
      reason: REMEDY,
    })
    expect(effects.map(({ kind }) => kind)).not.toContain('signal')
    expect(effects.map(({ kind }) => kind)).not.toContain('abort_requests')
  })

  it('goes on being probed and watched for a hang', () => {
    const { effects } = drive(ready().pool, [fault])
    expect(effects).toContainEqual(expect.objectContaining({ kind: 'arm_timer', name: 'probe' }))
    expect(effects).toContainEqual(expect.objectContaining({ kind: 'arm_timer', name: 'watch' }))
  })

  it('keeps the remedy in last_error whatever else goes wrong', () => {
    expect(drive(ready().pool, [fault, missed]).pool.lastError).toBe(REMEDY)
    expect(drive(ready().pool, [fault, exited]).pool.lastError).toBe(REMEDY)
  })

  it('takes requests again when the device is well', () => {
    const { pool } = drive(ready().pool, [fault, ok])
    expect(pool).toMatchObject({ state: { kind: 'ready' }, lastError: '' })
    expect(pool).not.toHaveProperty('deviceFault')
  })

  it('stays out while an operator drains it, however well the device is', () => {
    const drained = { kind: 'drain', deadlineMs: 1_000, onDeadline: 'force' } as const
    const held = drive(ready().pool, [drained, fault, ok])
    expect(held.pool.state).toMatchObject({ kind: 'draining', goal: 'hold' })
    expect(drive(held.pool, [{ kind: 'undrain' }]).pool.state.kind).toBe('ready')
  })

  it('stays out after an undrain, and after a drain that was given up', () => {
    const drained = { kind: 'drain', deadlineMs: 1_000, onDeadline: 'abort' } as const
    const undrained = drive(ready().pool, [drained, fault, { kind: 'undrain' }])
    expect(undrained.pool.state.kind).toBe('draining')
    const givenUp = drive(ready().pool, [drained, fault, timer('drain')])
    expect(givenUp.pool.state.kind).toBe('draining')
    expect(drive(undrained.pool, [ok]).pool.state.kind).toBe('ready')
  })

  it('waits for its device, without restarts, when its engine ends', () => {
    const { pool, effects } = drive(ready().pool, [fault, exited, own({ kind: 'gone' })])
    expect(pool.state).toEqual({ kind: 'failed', reason: 'gpu_required', message: REMEDY })
    expect(pool.history.total).toBe(0)
    expect(effects).toContainEqual(expect.objectContaining({ kind: 'instance_ended' }))
  })

  it('that was to start again does not, and does once the device is well', () => {
    const backoff = drive(ready().pool, [exited, own({ kind: 'gone' })])
    expect(backoff.pool.state.kind).toBe('backoff')
    const waiting = drive(backoff.pool, [fault, timer('backoff')])
    expect(waiting.pool.state).toMatchObject({ kind: 'failed', reason: 'gpu_required' })
    expect(launches(waiting.effects)).toBe(0)
    const again = drive(waiting.pool, [ok])
    expect(again.pool.state).toMatchObject({ kind: 'backoff' })
    expect(launches(drive(again.pool, [timer('backoff')]).effects)).toBe(1)
  })

  it('that loads goes on, and is held when it is loaded', () => {
    const loading = drive(newSupervised(0), [{ kind: 'start' }, launched, fault])
    expect(loading.pool.state.kind).toBe('starting')
    expect(drive(loading.pool, [healthy]).pool.state).toMatchObject({ kind: 'draining' })
    expect(drive(loading.pool, [healthy, ok]).pool.state.kind).toBe('ready')
  })
})

describe('a pool that is started on a device at fault', () => {
  it('fails with what to do, and starts by itself once the device is well', () => {
    const { pool, effects } = drive(newSupervised(0), [fault, { kind: 'start' }])
    expect(pool.state).toEqual({ kind: 'failed', reason: 'gpu_required', message: REMEDY })
    expect(launches(effects)).toBe(0)
    const later = drive(pool, [ok, timer('backoff')])
    expect(later.pool.state.kind).toBe('preparing')
    expect(launches(later.effects)).toBe(1)
  })

  it('does not start when nobody wants it any more', () => {
    const { pool } = drive(newSupervised(0), [fault, { kind: 'start' }])
    const stopped = drive(pool, [{ kind: 'stop', drainMs: 0 }, ok])
    expect(stopped.pool.state.kind).toBe('stopped')
  })

  it('does not get around the limit of restarts by a device that comes and goes', () => {
    let { pool } = ready()
    for (let at = 0; at < 5; at++) {
      const now = at * 3_000
      pool = drive(pool, [fault, exited, own({ kind: 'gone' }), ok], now).pool
      pool = drive(pool, [timer('backoff'), launched, healthy], now + 2_500).pool
    }
    expect(pool.state).toMatchObject({ kind: 'failed', reason: 'breaker' })
  })
})

it('a device that is well says nothing to a pool that never heard of a fault', () => {
  const { pool } = ready()
  expect(drive(pool, [ok])).toMatchObject({ pool, effects: [] })
})
