import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { poolSchema } from './pool-schema.ts'
import { toPoolSpec } from './to-pool-spec.ts'

const entry = (more: object) => ({ id: 'a', engine: 'sim', model: 'm', ...more })
const specOf = (more: object) => toPoolSpec(poolSchema.parse(entry(more)), '/m')
/** The paths of what is wrong. */
const wrong = (more: object) =>
  (poolSchema.safeParse(entry(more)).error?.issues ?? []).map(({ path }) => path.join('.'))

describe('`lifecycle` of a pool', () => {
  it('[003-FR-004, 003-FR-036, 003-FR-037, 003-AC-022] sets mode, deadlines, checks, restarts and port', () => {
    const spec = specOf({
      ...{ mode: 'managed', engine_options: { seed: 7 } },
      lifecycle: {
        ...{ start_timeout_s: 7, model_load_timeout_s: 70, model_load_max_retries: 1 },
        ...{ health_check_interval_s: 2, health_check_timeout_s: 4, max_consecutive_failures: 5 },
        ...{ max_restarts_per_minute: 9, port: 8_001 },
      },
    })
    expect(spec).toMatchObject({
      ...{ port: 8_001, probing: { timeoutMs: 4_000 } },
      engine: { mode: 'managed', options: { seed: 7 } },
      policy: {
        ...{ startTimeoutMs: 7_000, loadTimeoutMs: 70_000, loadMaxRetries: 1 },
        ...{ probeIntervalMs: 2_000, maxConsecutiveFailures: 5, restart: { intensity: 9 } },
      },
    })
  })

  it('[003-FR-019, 003-FR-023] has checks that time out after 5 s and loads after 600 s, where it does not say', () => {
    expect(specOf({})).toMatchObject({
      ...{ port: 0, engine: { mode: 'managed' }, probing: { timeoutMs: 5_000 } },
      policy: { startTimeoutMs: 30_000, loadTimeoutMs: 600_000, probeIntervalMs: 5_000 },
    })
  })

  it.each([1, 8_000, 8_002, 65_535])('[003-FR-040, 003-AC-026] takes port %i', (port) => {
    expect(specOf({ lifecycle: { port } }).port).toBe(port)
  })

  it('[003-FR-041, 003-AC-026] is refused with every path that is wrong at once', () => {
    const times = { start_timeout_s: 0, model_load_timeout_s: -1, health_check_interval_s: 'soon' }
    const more = { max_restarts_per_minute: -1, port: 65_536 }
    expect(wrong({ mode: 'automatic', lifecycle: { ...times, ...more } })).toEqual([
      'mode',
      ...[...Object.keys(times), ...Object.keys(more)].map((key) => `lifecycle.${key}`),
    ])
    expect(wrong({ lifecycle: { port: 0.5 } })).toEqual(['lifecycle.port'])
  })

  it('has a default for each of its keys [003-TC-05]', () => {
    const { engine, policy, port, modelRef } = specOf({ model: undefined })
    const { startTimeoutMs, loadTimeoutMs, loadMaxRetries, maxConsecutiveFailures } = policy
    const told: Readonly<Record<string, unknown>> = {
      '[001-OPT-1] mode': engine.mode,
      '[001-OPT-2] first sign of life': startTimeoutMs,
      '[001-OPT-4] failures in a row': maxConsecutiveFailures,
      '[001-OPT-5] restarts a minute': policy.restart.intensity,
      '[001-OPT-8] port': port,
      '[001-OPT-9] model': modelRef,
      '[001-OPT-10] load': loadTimeoutMs,
      '[001-OPT-11] retries of a load': loadMaxRetries,
      '[001-OPT-12] grace': engine.shutdownGraceMs,
    }
    expect(Object.values(told)).toEqual([...['managed', 30_000, 3, 3, 0, '', 600_000, 2, 10_000]])
  })

  it('[001-OPT-3] is checked every 5 s, and less often when idle, as it says', () => {
    expect(specOf({}).policy.probeIntervalMs).toBe(5_000)
    const idle = specOf({ lifecycle: { idle_health_check_interval_s: 60 } })
    expect(idle.policy).toMatchObject({ probeIntervalMs: 5_000, idleProbeIntervalMs: 60_000 })
    expect(wrong({ lifecycle: { health_check_interval_s: 0 } })).toHaveLength(1)
  })

  it('[001-OPT-16] takes no key that it does not know', () => {
    const issues = poolSchema.safeParse(entry({ lifecycle: { start_timeout: 7 } })).error?.issues
    expect(issues).toEqual([
      expect.objectContaining({ code: 'unrecognized_keys', path: ['lifecycle'] }),
    ])
  })

  it('[003-PR-8] has every key of its schema in the pages for operators', () => {
    const page = readFileSync(new URL('../../../../../docs/pools.md', import.meta.url), 'utf8')
    const { properties } = z.toJSONSchema(poolSchema.shape.lifecycle, { io: 'input' })
    const keys = Object.keys(properties ?? {})
    expect(keys).toContain('model_load_timeout_s')
    expect(keys.filter((key) => !page.includes(key))).toEqual([])
  })
})

it('max_model_len of a vllm pool is its context', () => {
  const contextOf = (engine: string) => {
    const more = { engine, context_length: 512, engine_options: { max_model_len: 2_048 } }
    return specOf(more).engine.contextLength
  }
  expect([contextOf('vllm'), contextOf('sim')]).toEqual([2_048, 512])
})
