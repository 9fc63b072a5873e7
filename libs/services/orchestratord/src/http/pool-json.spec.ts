import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from '@jest/globals'
import {
  FleetHostSchema,
  FleetPoolSchema,
  LedgerState,
  LoadPhase,
  PoolState,
  Residency,
  type PoolSchema,
} from '@berth/contract'
import { hostJson } from './host-json.ts'
import { poolJson } from './pool-json.ts'

const healthOf = (pool: MessageInitShape<typeof PoolSchema>) =>
  poolJson(create(FleetPoolSchema, { hostId: 'h', pool }))

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

describe('what a pool loads', () => {
  it('is told as the agent told it, with null for what nobody knows', () => {
    const loading = {
      ...{ modelId: 'm', phase: LoadPhase.COMPILE, progressPercent: 71.26, startedAtMs: 1_000n },
      ...{ etaMs: 900n },
    }
    expect(healthOf({ state: READY, loading }).loading).toEqual({
      ...{ model_id: 'm', status: 'compile', progress_percent: 71.3, percent_complete: 71.3 },
      ...{ bytes_downloaded: null, total_bytes: null, is_progress_known: false, eta_ms: 900 },
      ...{ started_at: '1970-01-01T00:00:01.000Z', completed_at: null, error_details: null },
    })
  })

  it('says why it failed', () => {
    const loading = {
      ...{ modelId: 'm', phase: LoadPhase.FAILED, completedAtMs: 2_000n },
      ...{ errorReason: 'out_of_vram', errorMessage: 'Too large.' },
    }
    expect(healthOf({ loading }).loading).toMatchObject({
      ...{ status: 'failed', completed_at: '1970-01-01T00:00:02.000Z' },
      error_details: { reason: 'out_of_vram', message: 'Too large.' },
    })
  })
})

describe('a host', () => {
  it('[000-T014] shows what is held of each device, and null where nobody can measure', () => {
    const entry = { poolId: 'a', modelId: 'm', state: LedgerState.OBSERVED, reservedBytes: 10n }
    const host = create(FleetHostSchema, {
      hostId: 'h',
      ledger: [
        {
          ...{ deviceId: '0', totalBytes: 100n, measuredFreeBytes: 70n, availableBytes: 60n },
          entries: [{ ...entry, observedBytes: 12n, correction: 1.2 }],
        },
        { deviceId: '1', entries: [] },
      ],
    })
    expect(hostJson(host)).toMatchObject({
      ledger: [
        {
          ...{ device_id: '0', total_bytes: 100, measured_free_bytes: 70, available_bytes: 60 },
          entries: [
            {
              ...{ pool_id: 'a', model_id: 'm', state: 'observed', reserved_bytes: 10 },
              ...{ observed_bytes: 12, correction: 1.2 },
            },
          ],
        },
        { device_id: '1', total_bytes: null, measured_free_bytes: null, available_bytes: null },
      ],
      model_disk: null,
    })
  })
})

describe('a pool', () => {
  it('[001-API-9][003-AC-031][003-AC-032][003-AC-033][003-AC-034][003-AC-035] tells state, process, model, GPUs and the last check', () => {
    const device = {
      ...{ deviceId: '0', name: 'NVIDIA L4', memoryTotalBytes: 100n, memoryFreeBytes: 30n },
      utilizationPercent: 97,
    }
    const pool = {
      ...{ state: READY, pid: 7, upSinceMs: 1_000n, models: [{ modelId: 'm' }] },
      lastCheck: { atMs: 2_000n, ok: false, tookMs: 5_000, error: 'timeout' },
    }
    const fleetPool = create(FleetPoolSchema, {
      ...{ hostId: 'h', pool, devices: [device, { deviceId: '1', name: 'NVIDIA L4' }] },
    })
    expect(poolJson(fleetPool)).toMatchObject({
      ...{ state: 'ready', pid: 7, up_since: '1970-01-01T00:00:01.000Z', model_id: 'm' },
      last_check: { at: '1970-01-01T00:00:02.000Z', ok: false, ms: 5_000, error: 'timeout' },
      devices: [
        { device_id: '0', vram_total_bytes: 100, vram_free_bytes: 30, utilization_percent: 97 },
        { device_id: '1', vram_total_bytes: null, utilization_percent: null },
      ],
    })
  })

  it('shows each of its models, where it is and what it takes', () => {
    const models = [
      {
        ...{ modelId: 'm', residency: Residency.RESIDENT, activeRequests: 1, memoryBytes: 30n },
        ...{ gpuBytes: 20n, expiresAtMs: 1_000n },
      },
      { modelId: 'lora', residency: Residency.ON_DISK, parentModelId: 'm' },
    ]
    const pool = { models, isMultiModel: true, isAsleep: true }
    expect(healthOf(pool)).toMatchObject({
      ...{ multi_model: true, asleep: true },
      models: [
        {
          ...{ model_id: 'm', residency: 'resident', active_requests: 1, memory_bytes: 30 },
          ...{ gpu_bytes: 20, expires_at: '1970-01-01T00:00:01.000Z', parent: null },
        },
        { model_id: 'lora', residency: 'on_disk', memory_bytes: null, parent: 'm' },
      ],
    })
  })

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
