import { describe, expect, it } from '@jest/globals'
import { loadPhaseOf } from './pool-state.ts'
import { step } from './step.ts'
import { DEFAULT_POLICY } from './policy.ts'
import { newSupervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'
import { plain, poolsInStates, tellEverywhere } from './testing/pools-in-states.ts'
import { createDrive } from './testing/sample-events.ts'

const sign = (phase: string, figures: object = {}) => ({ kind: 'load_sign', phase, ...figures })
const NO_GPU = {
  kind: 'device_error',
  message: 'It runs on the CPU although a GPU was granted.',
  isRetriable: true,
} as const

/** What becomes of a pool in each state; in those that are not named it changes nothing. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'bytes of a download',
    sign('download', { percent: 25, bytesDone: 25, bytesTotal: 100 }),
    `
      preparing:
        preparing load={percent=25 bytesDone=25 bytesTotal=100 phase=download phaseAt=10000
          advancedAt=10000}
      starting, loading:
        starting startedAt=0 hasSignOfLife progressAt=10000 load={percent=25 bytesDone=25
          bytesTotal=100 phase=download phaseAt=10000 advancedAt=10000}
    `,
  ],
  [
    'weights that are being read',
    sign('load', { percent: 50 }),
    `
      preparing:
        preparing load={percent=50 phase=load phaseAt=10000 advancedAt=10000}
      starting, loading:
        starting startedAt=0 hasSignOfLife progressAt=10000 load={percent=50 phase=load
          phaseAt=10000 advancedAt=10000}
    `,
  ],
  [
    'an engine that runs without what it was granted',
    { kind: 'load_failed', report: NO_GPU },
    `
      starting, loading:
        crashed report=device_error
        lastError=It runs on the CPU although a GPU was granted. See: berth pools logs a
        "It runs on the CPU although a GPU was granted.", abort_requests, signal SIGTERM, kill
          10000, await_gone
    `,
  ],
]

it.each(EXPECTED)('a start tells of itself: %s', (_what, event, expected) => {
  expect(tellEverywhere(event)).toBe(plain(expected))
})

const FETCHING = { kind: 'stage_sign', model: 'b', phase: 'download', bytesDone: 1 } as const

describe('a model that a reload leads to', () => {
  const { drive } = createDrive()
  const draining = poolsInStates()['drained to reload']

  it('shows how far its files have come while the old engine stays up', () => {
    const staging = drive(draining, [{ kind: 'idle' } as SupervisionEvent, FETCHING], 5_000).pool
    expect(staging.state.kind).toBe('draining')
    expect(staging.reload).toMatchObject({
      ...{ phase: 'stage', load: { phase: 'download', bytesDone: 1, advancedAt: 5_000 } },
    })
    const same = drive(staging, [FETCHING], 6_000).pool
    expect(same).toBe(staging)
  })

  it('takes no sign of another model, and none before it is fetched', () => {
    const staging = drive(draining, [{ kind: 'idle' } as SupervisionEvent], 5_000).pool
    expect(drive(staging, [{ ...FETCHING, model: 'c' }], 6_000).pool).toBe(staging)
    expect(drive(draining, [FETCHING], 6_000).pool).toBe(draining)
  })
})

describe('the phase of a start [001-ST-2]', () => {
  const { drive, launched } = createDrive()
  const start = { kind: 'start' } as const
  const said = (phase: string) => sign(phase) as SupervisionEvent

  it('is download, load, compile, warm, as files and engine tell of it', () => {
    const preparing = drive(newSupervised(0), [start]).pool
    expect(loadPhaseOf(preparing.state)).toBeUndefined()
    const fetching = drive(preparing, [said('download')]).pool
    expect(loadPhaseOf(fetching.state)).toBe('download')
    const loading = drive(fetching, [launched]).pool
    expect(loadPhaseOf(loading.state)).toBe('load')
    const compiling = drive(loading, [said('compile')]).pool
    expect(loadPhaseOf(compiling.state)).toBe('compile')
    const warming = drive(compiling, [said('warm'), said('load')]).pool
    expect(loadPhaseOf(warming.state)).toBe('warm')
    expect(loadPhaseOf({ kind: 'stopped' })).toBeUndefined()
  })
})

describe('the deadline of a load', () => {
  const policy = { loadTimeoutMs: 10_000 }
  const { drive, launched } = createDrive(policy)
  const starting = drive(newSupervised(0), [{ kind: 'start' }, launched]).pool
  const due = { kind: 'timer', name: 'load' } as const
  /** A line each second, and percent that grow up to `until`. */
  const loadTo = (endMs: number, until: number) => {
    let pool = starting
    for (let now = 1_000; now <= endMs; now += 1_000)
      pool = drive(
        pool,
        [sign('load', { percent: Math.min(now, until) / 10_000 }), due] as never,
        now,
      ).pool
    return pool
  }

  it('moves on for as long as percent grow, however long that takes', () => {
    expect(loadTo(900_000, 900_000).state.kind).toBe('starting')
  })

  it('ends an engine that only repeats itself ten timeouts after it last came further', () => {
    expect(loadTo(599_000, 500_000).state.kind).toBe('starting')
    expect(loadTo(600_000, 500_000).state).toMatchObject({
      ...{ kind: 'crashed', report: { kind: 'start_timeout' } },
    })
  })

  it('ends one that says nothing one timeout after its last sign', () => {
    const rng = { float: () => 0.5, bytes: (count: number) => new Uint8Array(count) }
    const context = { poolId: 'a', rng, policy: { ...DEFAULT_POLICY, ...policy } }
    const pool = loadTo(50_000, 50_000)
    expect(step(pool, due, { ...context, now: 59_999 }).effects).toEqual([
      { kind: 'arm_timer', name: 'load', ms: 1 },
    ])
    expect(step(pool, due, { ...context, now: 60_000 }).pool.state.kind).toBe('crashed')
  })
})

it('a server that somebody else runs is not ended for what it says of its start', () => {
  const told = tellEverywhere({ kind: 'load_failed', report: NO_GPU }, { hasProcess: false })
  expect(told).toBe('')
})
