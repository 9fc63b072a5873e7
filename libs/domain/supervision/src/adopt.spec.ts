import { describe, expect, it } from '@jest/globals'
import { newSupervised } from './supervised.ts'
import { CRASH, createDrive, own } from './testing/sample-events.ts'

const { drive, ready, healthy, missed } = createDrive()
const adopt = { kind: 'adopt', adopted: { instanceId: 'i-0' } } as const
const exited = { kind: 'exited', report: CRASH, exit: { code: null, signal: null } } as const

describe('a process of an earlier life', () => {
  it('is probed at once and ready when its probes pass, without a launch', () => {
    const adopted = drive(newSupervised(0), [adopt])
    expect(adopted.pool).toMatchObject({
      state: { kind: 'starting', instanceId: 'i-0' },
      isWanted: true,
    })
    expect(adopted.effects).toContainEqual({ kind: 'probe', instanceId: 'i-0' })
    const after = drive(adopted.pool, [healthy])
    expect(after.pool.state).toMatchObject({ kind: 'ready', instanceId: 'i-0' })
    expect(after.pool.history).toMatchObject({ total: 0, restarts: [] })
    expect(after.pool.transitions.map(({ to }) => to)).toEqual(['starting', 'ready'])
  })

  it('may still be loading', () => {
    const adopted = drive(newSupervised(0), [adopt, own({ kind: 'output' }), missed, missed])
    const later = drive(adopted.pool, [{ kind: 'timer', name: 'life' }], 30_000)
    expect(later.pool.state.kind).toBe('starting')
  })

  it('is ended and restarted when it shows no sign of life', () => {
    const adopted = drive(newSupervised(0), [adopt])
    const late = drive(adopted.pool, [{ kind: 'timer', name: 'life' }], 30_000)
    expect(late.effects).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }))
    const gone = drive(late.pool, [own({ kind: 'gone' })], 31_000)
    expect(gone.pool.state.kind).toBe('backoff')
  })

  it('is restarted when it ends, though nobody knows how it ended', () => {
    const after = drive(newSupervised(0), [adopt, healthy, exited, own({ kind: 'gone' })])
    expect(after.pool.state.kind).toBe('backoff')
  })

  it('is not taken over by a pool that has an engine', () => {
    const { pool } = ready()
    expect(drive(pool, [adopt]).pool).toBe(pool)
  })
})

describe('the end of an instance', () => {
  const exit = { code: 139, signal: null }
  it('is told with its exit code and signal', () => {
    const crashed = drive(ready().pool, [{ kind: 'exited', report: CRASH, exit }])
    const told = drive(crashed.pool, [own({ kind: 'gone' })])
    expect(told.effects).toContainEqual(expect.objectContaining({ kind: 'instance_ended', exit }))
  })

  it('is told with the exit that came after it was ended for its missed checks', () => {
    const killed = { code: null, signal: 'SIGKILL' }
    const crashed = drive(ready().pool, [missed, missed, missed])
    const after = drive(crashed.pool, [
      { kind: 'exited', report: CRASH, exit: killed },
      own({ kind: 'gone' }),
    ])
    expect(after.effects).toContainEqual(
      expect.objectContaining({
        kind: 'instance_ended',
        exit: killed,
        report: expect.objectContaining({ kind: 'unhealthy' }),
      }),
    )
  })
})
