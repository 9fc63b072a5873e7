import { describe, expect, it } from '@jest/globals'
import { TRANSITIONS_KEPT, newSupervised } from './supervised.ts'
import { CRASH, createDrive, own } from './testing/sample-events.ts'

const { drive, ready, healthy, missed, launched } = createDrive()
const exited = { kind: 'exited', report: CRASH } as const
const timer = (name: 'life' | 'load' | 'kill' | 'backoff' | 'reopen' | 'drain' | 'stable') =>
  ({ kind: 'timer', name }) as const

describe('a pool that starts', () => {
  it('prepares, starts, and is ready only once its probes pass [002-09a2]', () => {
    const preparing = drive(newSupervised(0), [{ kind: 'start' }])
    expect(preparing.pool.state.kind).toBe('preparing')
    expect(preparing.effects.map(({ kind }) => kind)).toContain('launch')
    const starting = drive(preparing.pool, [launched, missed])
    expect(starting.pool.state.kind).toBe('starting')
    expect(drive(starting.pool, [healthy]).pool.state.kind).toBe('ready')
  })

  it('never counts slow loading as missed checks [003-FR-020]', () => {
    const starting = drive(newSupervised(0), [{ kind: 'start' }, launched])
    const after = drive(starting.pool, [missed, missed, missed, missed, missed])
    expect(after.pool.state.kind).toBe('starting')
  })

  it('is ended when it shows no sign of life within the start timeout', () => {
    const starting = drive(newSupervised(0), [{ kind: 'start' }, launched])
    const late = drive(starting.pool, [timer('life')], 30_000)
    expect(late.pool.state).toMatchObject({ kind: 'crashed', report: { kind: 'start_timeout' } })
    expect(late.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
  })

  it('outlives the start timeout once it printed a line', () => {
    const starting = drive(newSupervised(0), [{ kind: 'start' }, launched])
    const alive = drive(starting.pool, [own({ kind: 'output' }), timer('life')], 30_000)
    expect(alive.pool.state.kind).toBe('starting')
  })

  it('may load for longer than the load timeout while its log advances [003-FR-023]', () => {
    const starting = drive(newSupervised(0), [{ kind: 'start' }, launched])
    const printed = drive(starting.pool, [own({ kind: 'output' })], 500_000)
    const waiting = drive(printed.pool, [timer('load')], 600_000)
    expect(waiting.pool.state.kind).toBe('starting')
    expect(waiting.effects).toEqual([{ kind: 'arm_timer', name: 'load', ms: 500_000 }])
  })

  it('is ended in any case after ten load timeouts', () => {
    const starting = drive(newSupervised(0), [{ kind: 'start' }, launched])
    const chatty = drive(starting.pool, [own({ kind: 'output' }), timer('load')], 6_000_000)
    expect(chatty.pool.state.kind).toBe('crashed')
  })

  it('fails with the model as reason after three starts that timed out', () => {
    let pool = newSupervised(0)
    pool = drive(pool, [{ kind: 'start' }]).pool
    for (const at of [1, 2, 3]) {
      const now = at * 700_000
      pool = drive(pool, [launched], now).pool
      pool = drive(pool, [timer('load')], now + 600_000).pool
      pool = drive(pool, [own({ kind: 'gone' })]).pool
      pool = drive(pool, [timer('backoff')]).pool
    }
    expect(pool.state).toMatchObject({ kind: 'failed', reason: 'model' })
  })
})

describe('a ready pool', () => {
  it('survives two missed checks and restarts on the third [002-26b2, 003-FR-020, 003-AC-016]', () => {
    const two = drive(ready().pool, [missed, missed])
    expect(two.pool.state).toMatchObject({ kind: 'ready', failures: 2 })
    const three = drive(two.pool, [missed])
    expect(three.pool.state).toMatchObject({ kind: 'crashed', report: { kind: 'unhealthy' } })
    expect(three.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
  })

  it('forgets missed checks after a good one [001-HCW-2, 003-AC-017]', () => {
    const again = drive(ready().pool, [missed, missed, healthy, missed, missed])
    expect(again.pool.state).toMatchObject({ kind: 'ready', failures: 2 })
  })

  it('stays ready and degraded when it fails open [002-24a2]', () => {
    const open = createDrive({ isFailOpen: true })
    const after = open.drive(open.ready().pool, [missed, missed, missed])
    expect(after.pool.state).toMatchObject({ kind: 'ready', isDegraded: true })
  })

  it('waits for a server it does not run instead of restarting it [001-MODE-3]', () => {
    const attached = createDrive({ hasProcess: false })
    const after = attached.drive(attached.ready().pool, [missed, missed, missed])
    expect(after.pool.state.kind).toBe('starting')
    expect(after.effects.map(({ kind }) => kind)).not.toContain('signal')
    expect(attached.drive(after.pool, [healthy]).pool.state.kind).toBe('ready')
  })

  it('is unready at once when its process ends, and its last error says why [002-26a2]', () => {
    const after = drive(ready().pool, [exited])
    expect(after.pool.state.kind).toBe('crashed')
    expect(after.pool.lastError).toBe(`${CRASH.message} See: berth pools logs a`)
  })

  it('is stopped, not crashed, when its process ends with 0', () => {
    const report = { kind: 'stopped', message: 'It ended with 0.', isRetriable: false } as const
    const ending = drive(ready().pool, [{ kind: 'exited', report }, own({ kind: 'gone' })])
    expect(ending.pool).toMatchObject({ state: { kind: 'stopped' }, isWanted: false })
  })
})

describe('a crashed pool', () => {
  const backedOff = () => drive(ready().pool, [exited, own({ kind: 'gone' })], 10_000)

  it('starts nothing before its whole process group is gone', () => {
    const crashed = drive(ready().pool, [exited], 10_000)
    expect(crashed.effects).toContainEqual(expect.objectContaining({ kind: 'await_gone' }))
    const early = drive(crashed.pool, [timer('backoff'), { kind: 'start' }])
    expect(early.pool.state.kind).toBe('crashed')
  })

  it('backs off and starts a new instance [002-26a]', () => {
    const waiting = backedOff()
    expect(waiting.pool.state.kind).toBe('backoff')
    const again = drive(waiting.pool, [timer('backoff')], 12_000)
    expect(again.pool.state.kind).toBe('preparing')
    expect(again.pool.history.total).toBe(1)
  })

  it('fails without a restart when starting again cannot help', () => {
    const report = { kind: 'bad_option', message: 'Unknown flag.', isRetriable: false } as const
    const failed = drive(ready().pool, [{ kind: 'exited', report }, own({ kind: 'gone' })])
    expect(failed.pool.state).toMatchObject({ kind: 'failed', reason: 'config' })
  })

  it('starts at once when somebody asks during the backoff', () => {
    const again = drive(backedOff().pool, [{ kind: 'start' }], 10_001)
    expect(again.pool.state.kind).toBe('preparing')
    expect(again.pool.history.total).toBe(0)
  })

  it('stays stopped when a stop came meanwhile', () => {
    const crashed = drive(ready().pool, [exited, { kind: 'stop', drainMs: 0 }])
    expect(drive(crashed.pool, [own({ kind: 'gone' })]).pool.state.kind).toBe('stopped')
  })
})

describe('a crash loop', () => {
  const crashLoop = () => {
    let pool = drive(newSupervised(0), [{ kind: 'start' }], 0).pool
    let now = 0
    for (let round = 0; round < 20 && pool.state.kind !== 'failed'; round++) {
      pool = drive(pool, [launched, exited, own({ kind: 'gone' })], now).pool
      const delayMs = pool.state.kind === 'backoff' ? pool.state.delayMs : 0
      now += delayMs
      if (pool.state.kind === 'backoff') pool = drive(pool, [timer('backoff')], now).pool
    }
    return { pool, now }
  }

  it('opens the breaker after three restarts within a minute [003-FR-033, 003-AC-020]', () => {
    const { pool } = crashLoop()
    expect(pool.state).toMatchObject({ kind: 'failed', reason: 'breaker' })
    expect(pool.history.total).toBe(3)
  })

  it('gets one trial when the breaker reopens, and a doubled wait when that fails [003-AC-020]', () => {
    const { pool, now } = crashLoop()
    const trial = drive(pool, [timer('reopen')], now + 300_000)
    expect(trial.pool.state.kind).toBe('preparing')
    const failed = drive(trial.pool, [launched, exited, own({ kind: 'gone' })], now + 300_100)
    expect(failed.pool.state).toMatchObject({ kind: 'failed', reason: 'breaker' })
    expect(failed.effects).toContainEqual({ kind: 'arm_timer', name: 'reopen', ms: 600_000 })
  })

  it('may be started by hand once while the breaker is open [003-FR-035]', () => {
    const { pool, now } = crashLoop()
    const once = drive(pool, [{ kind: 'start' }, launched, exited, own({ kind: 'gone' })], now)
    expect(once.pool.state).toMatchObject({ kind: 'failed', reason: 'breaker' })
  })

  it('forgets its restarts when told to [001-RST-3, 003-FR-035]', () => {
    const { pool } = crashLoop()
    const reset = drive(pool, [{ kind: 'reset_restarts' }])
    expect(reset.pool.history).toMatchObject({ restarts: [], attempts: 0, openings: 0 })
  })
})

describe('stopping', () => {
  it('ends the group with SIGTERM, then SIGKILL, and is stopped when it is gone [001-PRC-2]', () => {
    const stopping = drive(ready().pool, [{ kind: 'stop', drainMs: 0 }])
    expect(stopping.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
    expect(stopping.effects).toContainEqual({ kind: 'arm_timer', name: 'kill', ms: 10_000 })
    const killed = drive(stopping.pool, [timer('kill')], 10_000)
    expect(killed.effects).toContainEqual(expect.objectContaining({ signal: 'SIGKILL' }))
    expect(drive(killed.pool, [own({ kind: 'gone' })]).pool.state.kind).toBe('stopped')
  })

  it('ends a process that came to be after the stop', () => {
    const stopping = drive(newSupervised(0), [{ kind: 'start' }, { kind: 'stop', drainMs: 0 }])
    expect(stopping.pool.state.kind).toBe('stopping')
    const late = drive(stopping.pool, [launched])
    expect(late.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
    expect(drive(late.pool, [own({ kind: 'gone' })]).pool.state.kind).toBe('stopped')
  })

  it('lets requests finish first when given the time', () => {
    const draining = drive(ready().pool, [{ kind: 'stop', drainMs: 5_000 }])
    expect(draining.pool.state).toMatchObject({ kind: 'draining', goal: 'stop' })
    expect(drive(draining.pool, [own({ kind: 'idle' })]).pool.state.kind).toBe('stopping')
    const forced = drive(draining.pool, [timer('drain')])
    expect(forced.pool.state.kind).toBe('stopping')
    expect(forced.effects).toContainEqual({ kind: 'abort_requests' })
  })

  it('starts a new instance after a restart, which counts against nothing', () => {
    const stopping = drive(ready().pool, [{ kind: 'restart', drainMs: 0 }])
    const again = drive(stopping.pool, [own({ kind: 'gone' })])
    expect(again.pool.state.kind).toBe('preparing')
    expect(again.pool.history.total).toBe(0)
  })
})

describe('draining', () => {
  const drain = { kind: 'drain', deadlineMs: 1_000 } as const

  it('keeps the engine and takes requests again after an undrain [002-11a]', () => {
    const draining = drive(ready().pool, [{ ...drain, onDeadline: 'force' }, own({ kind: 'idle' })])
    expect(draining.pool.state).toMatchObject({ kind: 'draining', goal: 'hold' })
    expect(drive(draining.pool, [{ kind: 'undrain' }]).pool.state.kind).toBe('ready')
  })

  it.each([
    ['force', 'draining'],
    ['abort', 'ready'],
  ] as const)('at its deadline with %s is %s [002-11a2]', (onDeadline, kind) => {
    const draining = drive(ready().pool, [{ ...drain, onDeadline }])
    expect(drive(draining.pool, [timer('drain')], 1_000).pool.state.kind).toBe(kind)
  })

  it('holds over a crash: the next instance takes nothing either', () => {
    const crashed = drive(ready().pool, [
      { ...drain, onDeadline: 'force' },
      exited,
      own({ kind: 'gone' }),
      timer('backoff'),
      launched,
      healthy,
    ])
    expect(crashed.pool.state).toMatchObject({ kind: 'draining', goal: 'hold' })
  })
})

it('ignores what an earlier instance still says', () => {
  const { pool } = ready()
  const late = { kind: 'exited', instanceId: 'of-before', report: CRASH } as const
  expect(drive(pool, [late]).pool).toBe(pool)
})

it('keeps the last 50 transitions with time and reason [003-NFR-013, 003-AC-021]', () => {
  let { pool } = ready()
  for (let round = 0; round < 40; round++)
    pool = drive(
      pool,
      [{ kind: 'drain', deadlineMs: 1, onDeadline: 'force' }, { kind: 'undrain' }],
      round,
    ).pool
  expect(pool.transitions).toHaveLength(TRANSITIONS_KEPT)
  expect(pool.transitions.at(-1)).toEqual({
    at: 39,
    from: 'draining',
    to: 'ready',
    reason: 'undrain was asked for',
  })
})
