import { describe, expect, it } from '@jest/globals'
import type { PoolState } from './pool-state.ts'
import { SERVICE_STATES, parseServiceState, serviceStateOf } from './service-state.ts'
import { CRASH } from './testing/sample-events.ts'

const instanceId = 'i'
const serving = { instanceId, readyAt: 0, failures: 0, isDegraded: false }
const STATES: readonly (readonly [PoolState, string])[] = [
  [{ kind: 'stopped' }, 'Stopped'],
  [{ kind: 'preparing', instanceId }, 'Starting'],
  [{ kind: 'starting', instanceId, startedAt: 0, hasSignOfLife: false, progressAt: 0 }, 'Starting'],
  [{ kind: 'ready', ...serving }, 'Running'],
  [{ kind: 'draining', ...serving, goal: 'hold', onDeadline: 'force' }, 'Running'],
  [{ kind: 'stopping', instanceId, goal: 'stop', kills: 0 }, 'Stopping'],
  [{ kind: 'backoff', delayMs: 1, report: CRASH }, 'Crashed'],
  [{ kind: 'crashed', instanceId, report: CRASH, kills: 0 }, 'Crashed'],
  [{ kind: 'failed', reason: 'breaker', message: '' }, 'Failed'],
]

describe('the seven service states', () => {
  it.each(STATES)('%j is %s', (state, service) => {
    expect(serviceStateOf(state, true)).toBe(service)
  })

  it('a server that we do not run and that does not answer is Unknown', () => {
    expect(serviceStateOf({ kind: 'preparing', instanceId }, false)).toBe('Unknown')
  })

  it('there are exactly seven, each read back from its string form [001-ST-8]', () => {
    expect(SERVICE_STATES).toHaveLength(7)
    expect(SERVICE_STATES.map((state) => parseServiceState(state.toLowerCase()))).toEqual([
      ...SERVICE_STATES,
    ])
    expect(parseServiceState('ready')).toBeUndefined()
  })
})
