import { describe, expect, it } from '@jest/globals'
import type { Effect } from './effect.ts'
import { newSupervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'
import { addressOf, CRASH, createDrive, own, type Driven } from './testing/sample-events.ts'

const { drive, healthy, launched } = createDrive()
const gone = own({ kind: 'gone' })
const idle = own({ kind: 'idle' })
const exited = { kind: 'exited', report: CRASH } as SupervisionEvent
const to = (model: string, onDeadline: 'force' | 'abort' = 'force') =>
  ({ kind: 'reload', model, deadlineMs: 5_000, onDeadline }) as const
const staged = { kind: 'staged', model: 'new' } as const
const timer = (name: 'drain' | 'backoff') => ({ kind: 'timer', name }) as const

const old = () => drive(newSupervised(0, 'old'), [{ kind: 'start' }, launched, healthy]).pool
/** A ready pool of `old` after these events. */
const after = (...events: readonly Parameters<typeof drive>[1][number][]): Driven =>
  drive(old(), events)
const kinds = (effects: readonly Effect[]) => effects.map(({ kind }) => kind)
const launches = ({ effects }: Driven) =>
  effects.flatMap((effect) => (effect.kind === 'launch' ? [effect.model] : []))

describe('[002-11b] a reload', () => {
  it('[002-11a][002-15a] takes nothing new from the first moment', () => {
    const { pool, effects } = after(to('new'))
    expect(pool).toMatchObject({ state: { kind: 'draining', goal: 'reload' }, model: 'old' })
    expect(kinds(effects)).toContain('await_idle')
  })

  it('stages the new model once nothing runs, while the old engine stays up', () => {
    const { pool, effects } = after(to('new'), idle)
    expect(pool).toMatchObject({ state: { kind: 'draining' }, reload: { phase: 'stage' } })
    expect(effects).toContainEqual({ kind: 'stage', model: 'new' })
    expect(kinds(effects)).not.toContain('signal')
  })

  it('ends the old engine when the new model is there, and launches the new one', () => {
    expect(after(to('new'), idle, staged).pool.state).toMatchObject({ kind: 'stopping' })
    const next = after(to('new'), idle, staged, gone)
    expect(launches(next)).toEqual(['new'])
    expect(next.pool).toMatchObject({ model: 'new', reload: { phase: 'start' } })
  })

  it('is over when the new engine is ready, and the model is kept for good', () => {
    const { pool, effects } = after(to('new'), idle, staged, gone, launched, healthy)
    expect(pool).toMatchObject({
      ...{ state: { kind: 'ready' }, model: 'new', lastError: '' },
      lastReload: { outcome: 'reloaded', to: 'new' },
    })
    expect(pool.reload).toBeUndefined()
    expect(effects).toContainEqual({ kind: 'keep_model', model: 'new' })
  })

  it('to the model that serves is over at once, without a restart', () => {
    const { pool, effects } = after(to('old'))
    expect(pool).toMatchObject({ state: { kind: 'ready' }, lastReload: { outcome: 'reloaded' } })
    expect(effects).toEqual([])
  })

  it('to the same model starts a pool that is not ready', () => {
    const next = drive(newSupervised(0, 'old'), [to('old')])
    expect(launches(next)).toEqual(['old'])
    const { pool } = drive(next.pool, [launched, healthy])
    expect(pool).toMatchObject({ state: { kind: 'ready' }, lastReload: { outcome: 'reloaded' } })
  })

  it('of a pool that a drain holds leaves it held', () => {
    const hold = { kind: 'drain', deadlineMs: 1, onDeadline: 'force' } as const
    const { pool } = after(hold, to('new'), idle, staged, gone, launched, healthy)
    expect(pool).toMatchObject({ state: { kind: 'draining', goal: 'hold' }, model: 'new' })
    expect(drive(pool, [{ kind: 'undrain' }]).pool.state.kind).toBe('ready')
  })

  it('of a server that we only watch is nothing', () => {
    const watching = createDrive({ hasProcess: false })
    const { pool } = watching.ready()
    expect(watching.drive(pool, [to('new')]).pool).toBe(pool)
  })
})

describe('[002-28b2] the deadline of a reload', () => {
  it('[002-11a2] ends what still runs and goes on', () => {
    const { pool, effects } = after(to('new', 'force'), timer('drain'))
    expect(kinds(effects)).toEqual(expect.arrayContaining(['abort_requests', 'stage']))
    expect(pool.reload?.phase).toBe('stage')
  })

  it('leaves the original running, and taking requests, when it is to be given up', () => {
    const { pool, effects } = after(to('new', 'abort'), timer('drain'))
    expect(pool).toMatchObject({
      ...{ state: { kind: 'ready' }, model: 'old' },
      lastReload: { outcome: 'kept', cause: 'active_requests' },
    })
    expect(kinds(effects)).not.toContain('abort_requests')
    expect(pool.lastError).toContain('outlived the drain')
  })
})

describe('[002-11b] a reload that fails', () => {
  const started = [to('new'), idle, staged, gone] as const

  it('while it stages never stops the old engine', () => {
    const report = { ...CRASH, kind: 'model_not_found', message: 'No such file.' } as const
    const before = old()
    const { pool } = drive(before, [
      to('new'),
      idle,
      { kind: 'stage_failed', model: 'new', report },
    ])
    expect(pool).toMatchObject({
      ...{ state: { kind: 'ready' }, model: 'old', lastError: 'No such file.' },
      lastReload: { outcome: 'kept', cause: 'model_not_found' },
    })
    expect(addressOf(pool)).toEqual(addressOf(before))
  })

  it.each([
    ['when it ends while it loads', [launched, exited, gone]],
    [
      'when it cannot be launched',
      [{ kind: 'launch_failed', report: { ...CRASH, isRetriable: false } } as SupervisionEvent],
    ],
    [
      'when it ends by itself as if all were well',
      [
        launched,
        { kind: 'exited', report: { ...CRASH, kind: 'stopped' } } as SupervisionEvent,
        gone,
      ],
    ],
  ] as const)('starts the old model again %s', (_when, failure) => {
    const back = after(...started, ...failure)
    expect(launches(back)).toEqual(['old'])
    expect(back.pool).toMatchObject({ model: 'old', reload: { phase: 'roll_back' } })
    const { pool, effects } = drive(back.pool, [launched, healthy])
    expect(pool).toMatchObject({
      ...{ state: { kind: 'ready' }, model: 'old' },
      lastReload: { outcome: 'rolled_back', message: CRASH.message },
    })
    expect(pool.lastError).toBe(`Rolled back: ${CRASH.message}`)
    expect(kinds(effects)).not.toContain('keep_model')
  })

  it('counts neither start as an automatic restart', () => {
    const { pool } = after(...started, launched, exited, gone, launched, healthy)
    expect(pool.history.total).toBe(0)
  })

  it('goes on with the old model until that serves, however often it ends', () => {
    const back = after(...started, launched, exited, gone, launched, exited, gone)
    expect(back.pool).toMatchObject({ state: { kind: 'backoff' }, model: 'old' })
    const { pool } = drive(back.pool, [timer('backoff'), launched, healthy])
    expect(pool).toMatchObject({ state: { kind: 'ready' }, lastReload: { outcome: 'rolled_back' } })
  })

  it('and whose old model does not come back either leaves a pool that says both reasons', () => {
    const report = { ...CRASH, kind: 'bad_option', message: 'Bad flag.', isRetriable: false }
    const { pool } = after(...started, launched, exited, gone, {
      ...{ kind: 'launch_failed', report },
    } as SupervisionEvent)
    expect(pool).toMatchObject({
      ...{ state: { kind: 'failed', reason: 'config' }, model: 'old' },
      lastReload: {
        outcome: 'lost',
        message: `${CRASH.message} The model before it did not come back: Bad flag.`,
      },
    })
  })

  it('leaves a pool stopped that was stopped before', () => {
    const { pool } = drive(newSupervised(0, 'old'), [to('new'), launched, exited, gone])
    expect(pool).toMatchObject({
      ...{ state: { kind: 'stopped' }, model: 'old', isWanted: false },
      lastReload: { outcome: 'lost' },
    })
  })
})

describe('during a reload', () => {
  it('an engine that ends while it drains makes room for the new model', () => {
    const { pool } = after(to('new'), exited)
    expect(pool).toMatchObject({ state: { kind: 'crashed' }, reload: { phase: 'switch' } })
    expect(launches(drive(pool, [gone]))).toEqual(['new'])
  })

  it.each([
    ['while it drains', [to('new')]],
    ['while it stages', [to('new'), idle]],
    ['while the old engine ends', [to('new'), idle, staged]],
    ['while the new one loads', [to('new'), idle, staged, gone, launched]],
  ] as const)('a stop %s keeps the old model for the next start', (_when, events) => {
    const stopped = after(...events, { kind: 'stop', drainMs: 0 }, gone)
    expect(stopped.pool).toMatchObject({
      ...{ state: { kind: 'stopped' }, model: 'old', lastReload: { outcome: 'cancelled' } },
    })
    expect(launches(drive(stopped.pool, [{ kind: 'start' }]))).toEqual(['old'])
  })

  it('another reload changes nothing', () => {
    const { pool } = after(to('new'))
    expect(drive(pool, [to('third')]).pool).toBe(pool)
  })

  it('what is staged for another model changes nothing', () => {
    const { pool } = after(to('new'), idle)
    expect(drive(pool, [{ kind: 'staged', model: 'other' }]).pool).toBe(pool)
  })

  it('a fault of the device keeps the old engine, which is then held by the fault', () => {
    const fault = { kind: 'device_fault', message: 'Gone.' } as const
    const { pool } = after(to('new'), idle, fault, staged)
    expect(pool).toMatchObject({
      ...{ state: { kind: 'draining', goal: 'hold' }, model: 'old' },
      lastReload: { outcome: 'kept', cause: 'device_error' },
    })
  })
})
