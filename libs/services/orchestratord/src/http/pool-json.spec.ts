import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from '@jest/globals'
import { FleetPoolSchema, PoolState, type PoolSchema } from '@berth/contract'
import { poolHealthJson, poolJson } from './pool-json.ts'

const healthOf = (pool: MessageInitShape<typeof PoolSchema>) =>
  poolHealthJson(create(FleetPoolSchema, { hostId: 'h', pool }))

const { BACKOFF, CRASHED, FAILED, PREPARING, READY, STARTING } = PoolState
const step = (atMs: bigint, from: PoolState, to: PoolState, reason = '') => ({
  ...{ atMs, from, to, reason },
})

describe('the health of a pool', () => {
  it('lists the restarts that its transitions show, oldest first [001-RST-4, 003-AC-021]', () => {
    const transitions = [
      step(1n, PREPARING, STARTING),
      step(2n, READY, CRASHED, 'exit code 1'),
      step(3n, CRASHED, BACKOFF),
      step(4n, BACKOFF, PREPARING, 'restart 1'),
      step(5n, PREPARING, STARTING),
      step(6n, BACKOFF, PREPARING, 'restart 2'),
    ]
    expect(healthOf({ state: READY, transitions })).toMatchObject({
      restarts: [
        { at: '1970-01-01T00:00:00.004Z', reason: 'restart 1' },
        { at: '1970-01-01T00:00:00.006Z', reason: 'restart 2' },
      ],
      breaker: { state: 'closed', reason: null },
      loading: null,
    })
  })

  it('shows an open breaker with its reason when the agent starts it no more', () => {
    expect(healthOf({ state: FAILED, stateReason: '5 crashes in 60 s' })).toMatchObject({
      breaker: { state: 'open', reason: '5 crashes in 60 s' },
    })
  })

  it('says what loads, and that nobody knows how far it is', () => {
    const models = [{ modelId: 'm' }]
    expect(healthOf({ state: STARTING, stateSinceMs: 1_000n, models }).loading).toEqual({
      model_id: 'm',
      percent_complete: null,
      eta_ms: null,
      started_at: '1970-01-01T00:00:01.000Z',
    })
  })

  it('says how far an operation has come, where there is one', () => {
    const currentOperation = { modelId: 'next', progressPercent: 40, etaMs: 900n }
    expect(healthOf({ state: STARTING, currentOperation }).loading).toMatchObject({
      ...{ model_id: 'next', percent_complete: 40, eta_ms: 900 },
    })
  })
})

describe('a pool', () => {
  const performanceOf = (performance: MessageInitShape<typeof PoolSchema>['performance']) =>
    poolJson(
      create(FleetPoolSchema, { hostId: 'h', pool: { ...(performance && { performance }) } }),
    )

  it('tells what was measured to a tenth, and null for what was not', () => {
    expect(performanceOf({ tokensPerS: 0, firstTokenMs: 17.40390699 })).toMatchObject({
      perf_tokens_per_s: null,
      first_token_ms: 17.4,
    })
    expect(performanceOf(undefined)).toMatchObject({ perf_tokens_per_s: null })
  })
})
