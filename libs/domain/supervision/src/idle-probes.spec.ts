import { describe, expect, it } from '@jest/globals'
import { DEFAULT_POLICY } from './policy.ts'
import type { SupervisionEvent } from './supervision-event.ts'
import { createDrive } from './testing/sample-events.ts'

const { drive, ready, healthy, missed } = createDrive({ idleProbeIntervalMs: 60_000 })
const busyNow = { kind: 'busy' } as SupervisionEvent
const probeIn = (ms: number) => ({ kind: 'arm_timer', name: 'probe', ms })

describe('an engine that nobody asks anything of [003-FR-039, 001-OPT-3]', () => {
  it('is probed every 60 s, and every 5 s while requests run', () => {
    expect(DEFAULT_POLICY).toMatchObject({ probeIntervalMs: 5_000, idleProbeIntervalMs: 60_000 })
    expect(drive(ready().pool, [healthy], 5_000).effects).toEqual([probeIn(60_000)])
    const inUse = { ...healthy, isIdle: false }
    expect(drive(ready().pool, [inUse], 5_000).effects).toEqual([probeIn(5_000)])
  })

  it('is probed within 5 s of the first request that comes, once for any number of them', () => {
    const resting = drive(ready().pool, [healthy], 5_000).pool
    const woken = drive(resting, [busyNow], 20_000)
    expect(woken.effects).toEqual([probeIn(5_000)])
    // Requests that come and go do not put the probe off.
    const again = drive(woken.pool, [busyNow], 24_000)
    expect(again.effects).toEqual([])
    expect(again.pool).toBe(woken.pool)
  })

  it('is not probed later for a request than it would have been without one', () => {
    const resting = drive(ready().pool, [healthy], 5_000).pool
    expect(drive(resting, [busyNow], 62_000).effects).toEqual([])
    expect(drive(resting, [busyNow], 60_000).effects).toEqual([])
    expect(drive(resting, [busyNow], 59_999).effects).toEqual([probeIn(5_000)])
  })

  it('is asked again soon once a probe was missed', () => {
    const resting = drive(ready().pool, [healthy], 5_000).pool
    const shaky = drive(resting, [missed], 65_000)
    expect(shaky.effects).toEqual([probeIn(5_000)])
    expect(drive(shaky.pool, [busyNow], 66_000).effects).toEqual([])
  })

  it('that was woken and rests again is probed seldom again', () => {
    const woken = drive(drive(ready().pool, [healthy], 5_000).pool, [busyNow], 20_000).pool
    expect(drive(woken, [healthy], 25_000).effects).toEqual([probeIn(60_000)])
  })

  it('failed open rests as well, and wakes', () => {
    const open = createDrive({ idleProbeIntervalMs: 60_000, isFailOpen: true })
    const resting = open.drive(open.ready().pool, [missed, missed, missed], 5_000)
    expect(resting.effects).toEqual([probeIn(60_000)])
    expect(open.drive(resting.pool, [busyNow], 10_000).effects).toEqual([probeIn(5_000)])
  })

  it('is as it was in every state in which it does not serve', () => {
    const stopped = drive(ready().pool, [{ kind: 'stop', drainMs: 0 }], 1_000).pool
    expect(drive(stopped, [busyNow], 2_000)).toMatchObject({ pool: stopped, effects: [] })
  })
})
