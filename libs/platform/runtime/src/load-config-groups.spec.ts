import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { changedSettings } from './changed-settings.ts'
import { loadConfig } from './load-config.ts'
import { settingGroup, settingsOf } from './setting.ts'

const dir = mkdtempSync(join(tmpdir(), 'berth-config-'))
afterAll(() => rmSync(dir, { recursive: true }))
const write = (text: string) => {
  const path = join(dir, `${crypto.randomUUID()}.yaml`)
  writeFileSync(path, text)
  return path
}

const schema = z.object({
  queue: settingGroup({
    capacity: z.number().int().positive().default(256),
    fullPolicy: z.enum(['reject', 'drop-lru']).default('reject'),
    inner: settingGroup({ waitMs: z.number().default(5) }),
  }),
  weights: z.strictObject({ high: z.number(), low: z.number() }).optional(),
  prices: z.record(z.string(), z.strictObject({ in_per_m: z.number().min(0) })).default({}),
})
const load = (argv: string[], env: Record<string, string> = {}) =>
  loadConfig({ name: 'spec', schema, env: { argv, env, pid: 1 } })
const problemsOf = (argv: string[], env: Record<string, string> = {}): string[] => {
  try {
    return [`loaded ${JSON.stringify(load(argv, env))}`]
  } catch (error) {
    return (error as Error).message.split('\n').slice(1)
  }
}

describe('settings in groups', () => {
  it('[004-29a] each keep their default when only some of them are given', () => {
    const file = write('queue:\n  capacity: 4\n')
    expect(load(['--config', file])).toEqual({
      queue: { capacity: 4, fullPolicy: 'reject', inner: { waitMs: 5 } },
      prices: {},
    })
    expect(load(['--config', write('queue:\n')]).queue.capacity).toBe(256)
  })

  it('[004-29a] are set by flag over environment over file, each value for itself', () => {
    const file = write('queue: { capacity: 1, full_policy: drop-lru, inner: { wait_ms: 7 } }\n')
    const env = { BERTH_QUEUE_CAPACITY: '2', BERTH_QUEUE_INNER_WAIT_MS: '8', BERTH_CONFIG: file }
    expect(load([], env).queue).toEqual({
      capacity: 2,
      fullPolicy: 'drop-lru',
      inner: { waitMs: 8 },
    })
    expect(load(['--queue-capacity', '3', '--queue-inner-wait-ms=9'], env).queue).toEqual({
      capacity: 3,
      fullPolicy: 'drop-lru',
      inner: { waitMs: 9 },
    })
  })

  it('take maps from a file as they are, and from flags as JSON', () => {
    const file = write('prices:\n  "org/model:8b": { in_per_m: 0.5 }\n')
    const prices = { 'org/model:8b': { in_per_m: 0.5 } }
    expect(load(['--config', file]).prices).toEqual(prices)
    expect(load(['--prices', JSON.stringify(prices)]).prices).toEqual(prices)
  })

  it('are frozen at every level', () => {
    const { queue, prices } = load(['--prices', '{"m":{"in_per_m":1}}'])
    expect([queue, queue.inner, prices, prices['m']].every(Object.isFrozen)).toBe(true)
  })

  it('[004-29a] report every problem at once with its full path, unknown keys at every level', () => {
    const file = write(
      [
        'que: 1',
        'queue:',
        '  capacity: -1',
        '  capcity: 2',
        '  inner: { wait_s: 1 }',
        'weights: { high: 1 }',
        'prices: { m: { in_per_m: -2, out: 1 } }',
      ].join('\n'),
    )
    const problems = problemsOf(['--config', file], { BERTH_QUEUE_FULL_POLICY: 'hunter2' })
    expect(problems).toEqual([
      `  ${file}: que is not a known setting`,
      `  ${file}: queue.capcity is not a known setting`,
      `  ${file}: queue.inner.wait_s is not a known setting`,
      expect.stringContaining(`  ${file}: queue.capacity: Too small`),
      expect.stringContaining('  BERTH_QUEUE_FULL_POLICY: Invalid option'),
      expect.stringContaining('weights.low is required: set --weights-low or BERTH_WEIGHTS_LOW'),
      expect.stringContaining(`  ${file}: prices.m.in_per_m: Too small`),
      expect.stringContaining(`  ${file}: prices.m.out: is not a known setting`),
    ])
    expect(problems.join()).not.toContain('hunter2')
  })

  it.each([['queue: 5\n'], ['queue: [1]\n'], ['queue: text\n']])(
    'must be a mapping in a file, not %j',
    (text) => {
      const file = write(text)
      expect(problemsOf(['--config', file])).toEqual([
        `  ${file}: queue: expected a mapping of settings`,
      ])
    },
  )

  it('refuse a map that is no JSON, under the name it was given', () => {
    expect(problemsOf(['--prices', 'm=1'])).toEqual([expect.stringContaining('  --prices: ')])
  })

  it('cannot share a flag', () => {
    const clash = z.object({ aB: z.string(), a: settingGroup({ b: z.string().default('') }) })
    expect(() => settingsOf(clash)).toThrow('flag of its own')
  })
})

describe('changed settings', () => {
  it('are named as a file names them', () => {
    const before = load([])
    const after = load(['--queue-inner-wait-ms', '1', '--prices', '{"m":{"in_per_m":1}}'])
    expect(changedSettings(schema, before, after)).toEqual(['queue.inner.wait_ms', 'prices'])
    expect(changedSettings(schema, before, load([]))).toEqual([])
  })
})
