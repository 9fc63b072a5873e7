import { describe, expect, it } from '@jest/globals'
import { bodyOf } from './pool-change.ts'
import type { OperationDetail, PoolDetail } from './pools-client.ts'
import { historyText, operationLine, poolText, poolsText } from './pools-text.ts'

const POOL: PoolDetail = {
  ...{ id: 'a', host_id: 'h1', engine: 'sim', engine_version: '1.2', mode: 'managed' },
  ...{ state: 'ready', state_reason: 'probes pass', service_state: 'running', ready: true },
  ...{ degraded: false, ineligible_reason: null, last_error: null, model_id: 'm' },
  ...{ device_mask: ['0', '1'], slots_total: 4, slots_free: 3, active_leases: 1, pid: 7 },
  ...{ up_since: 'T', restart_count: 2, perf_tokens_per_s: 41.5, transitions: [] },
  current_operation: null,
}
const OPERATION: OperationDetail = {
  ...{ operation_id: 'o1', operation_type: 'reload', status: 'in_progress', backend_id: 'a' },
  ...{ progress_percent: 60, step: 'start', model_id: 'n', error_details: null },
  ...{ initiated_at: '2026-01-01T00:00:00.000Z', completed_at: null },
}
const FAILED: OperationDetail = {
  ...{ ...OPERATION, status: 'failed', completed_at: '2026-01-01T00:00:02.500Z' },
  error_details: { code: 'MODEL_LOAD_FAILED', message: 'No. It was rolled back.' },
}

describe('pools', () => {
  it('are a table with a line for each', () => {
    expect(poolsText([POOL, { ...POOL, id: 'bb', state: 'failed', model_id: null }])).toEqual([
      'POOL  HOST  ENGINE  MODEL  STATE   SLOTS FREE  RESTARTS',
      'a     h1    sim     m      ready   3/4         2',
      'bb    h1    sim     -      failed  3/4         2',
    ])
  })

  it('show leaves out what is not known', () => {
    const lines = poolText({ ...POOL, pid: null, perf_tokens_per_s: null, model_id: null })
    expect(lines.map((line) => line.split('  ')[0])).toEqual([
      ...['pool', 'host', 'engine', 'mode', 'state', 'because', 'takes jobs', 'devices'],
      ...['slots', 'restarts'],
    ])
  })

  it('show says why a pool takes nothing, and what is under way', () => {
    const lines = poolText({
      ...{ ...POOL, state: 'draining', ready: false, ineligible_reason: 'POOL_DRAINING' },
      current_operation: OPERATION,
    })
    expect(lines).toContain('takes jobs  no: POOL_DRAINING')
    expect(lines).toContain('under way   reload of a: start, 60 %')
  })

  it('[003-AC-031][003-AC-032][003-AC-033][003-AC-034][003-AC-035] show tells state, process, model, GPUs and the last check', () => {
    const devices = [
      {
        ...{ device_id: '0', name: 'NVIDIA L4', vram_total_bytes: 24 * 2 ** 30 },
        ...{ vram_free_bytes: 3 * 2 ** 30, utilization_percent: 97, temperature_c: 61 },
      },
      {
        ...{ device_id: '1', name: 'NVIDIA L4', vram_total_bytes: null },
        ...{ vram_free_bytes: null, utilization_percent: null, temperature_c: null },
      },
    ]
    const last_check = { at: 'T2', ok: false, ms: 5_000, error: 'timeout' }
    const loading = { status: 'weights', percent_complete: 40 }
    const lines = poolText({ ...POOL, devices, last_check, loading })
    for (const line of [
      'model       m',
      'state       ready',
      'process     7, since T',
      'loading     a: weights 40 %',
      'last check  failed at T2 after 5000 ms: timeout',
      'device 0    NVIDIA L4, 3.0 GiB of 24.0 GiB free, 97 % busy, 61 °C',
      'device 1    NVIDIA L4, - of - free',
    ])
      expect(lines).toContain(line)
  })

  it('history is what happened and what was asked, the newest last', () => {
    const transitions = [{ at: 'T1', from: 'ready', to: 'draining', reason: 'drain' }]
    expect(historyText(transitions, [FAILED])).toEqual([
      'AT  FROM   TO        WHY',
      'T1  ready  draining  drain',
      '',
      'ASKED                     OPERATION  STATUS  TOOK   ID  WHY',
      '2026-01-01T00:00:00.000Z  reload     failed  2.5 s  o1  No. It was rolled back.',
    ])
  })
})

describe('a change of a pool', () => {
  it('is told by its step, then by its end', () => {
    expect(operationLine(OPERATION)).toBe('reload of a: start, 60 %')
    expect(operationLine({ ...FAILED, status: 'completed', error_details: null })).toBe(
      'reload of a: done in 2.5 s',
    )
    expect(operationLine(FAILED)).toBe('reload of a failed: No. It was rolled back.')
  })

  it('says only what was said', () => {
    expect(bodyOf({})).toEqual({})
    expect(bodyOf({ deadline: 0.25, onDeadline: 'abort' }, 'file:x.gguf')).toEqual({
      ...{ deadline_ms: 250, on_deadline: 'abort', new_model_ref: 'file:x.gguf' },
    })
  })
})
