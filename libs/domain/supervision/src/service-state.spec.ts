import { describe, expect, it } from '@jest/globals'
import type { PoolState } from './pool-state.ts'
import {
  SERVICE_STATES,
  parseServiceState,
  serviceStateOf,
  type ServiceState,
} from './service-state.ts'
import { CRASH } from './testing/sample-events.ts'

const instanceId = 'i'
const serving = { instanceId, readyAt: 0, failures: 0, isDegraded: false }
const report = CRASH
const loading = { startedAt: 0, hasSignOfLife: false, progressAt: 0 }
const drain = { goal: 'hold', onDeadline: 'force' } as const
const STATES: readonly (readonly [string, PoolState, ServiceState])[] = [
  ['stopped: [001-ST-4]', { kind: 'stopped' }, 'Stopped'],
  ['preparing:', { kind: 'preparing', instanceId }, 'Starting'],
  ['starting:', { kind: 'starting', instanceId, ...loading }, 'Starting'],
  ['ready: [001-ST-1]', { kind: 'ready', ...serving }, 'Running'],
  ['draining: [001-ST-1]', { kind: 'draining', ...serving, ...drain }, 'Running'],
  ['stopping: [001-ST-3]', { kind: 'stopping', instanceId, goal: 'stop', kills: 0 }, 'Stopping'],
  ['backoff: [001-ST-6]', { kind: 'backoff', delayMs: 1, report }, 'Crashed'],
  ['crashed: [001-ST-6]', { kind: 'crashed', instanceId, report, kills: 0 }, 'Crashed'],
  ['failed: [001-ST-5]', { kind: 'failed', reason: 'breaker', message: '' }, 'Failed'],
]

describe('the seven service states [003-TC-01]', () => {
  it.each(STATES)('a pool that is %s %j is %s', (_what, state, service) => {
    expect(serviceStateOf(state, true)).toBe(service)
  })

  it('a server that we do not run and that does not answer is Unknown [001-ST-7]', () => {
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
