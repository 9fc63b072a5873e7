import { describe, expect, it } from '@jest/globals'
import { poolSchema } from '../pools-file/pool-schema.ts'
import { toPoolSpec } from '../pools-file/to-pool-spec.ts'
import { hashOfSpec } from './spec-hash.ts'

const POOL = {
  id: 'a',
  engine: 'embedded',
  model: 'file:a.gguf',
  engine_options: { threads: 2, embeddings: true },
}
const hash = (change: object = {}) =>
  hashOfSpec(toPoolSpec(poolSchema.parse({ ...POOL, ...change }), '/models'))

describe('a running engine is what its pool wants', () => {
  it.each([
    ['the order of its options', { engine_options: { embeddings: true, threads: 2 } }],
    ['how it is watched', { lifecycle: { health_check_interval_s: 1, stall_timeout_s: 5 } }],
    ['how it is stopped', { lifecycle: { stop_on_exit: true, shutdown_grace_s: 1 } }],
    ['how it is told to clients', { sampler_profile_version: 'v2' }],
  ])('whatever %s', (_what, change) => {
    expect(hash(change)).toBe(hash())
  })

  it.each([
    ['model', { model: 'file:b.gguf' }],
    ['model name', { model_id: 'b' }],
    ['slots', { slots: 3 }],
    ['context', { context_length: 128 }],
    ['options', { engine_options: { threads: 3, embeddings: true } }],
    ['devices', { devices: [0] }],
    ['budget', { vram_budget_bytes: 1 }],
    ['port', { lifecycle: { port: 9_999 } }],
    ['container', { runtime: 'docker', image: 'x' }],
    ['program', { lifecycle: { binary_path: '/opt/engine' } }],
  ])('but not with another %s', (_what, change) => {
    expect(hash(change)).not.toBe(hash())
  })
})

it('an engine stays what its pool wants when its GPU gets another index, not when it is another GPU', () => {
  const of = (devices: readonly string[], deviceUuids: readonly string[]) => {
    const spec = toPoolSpec(poolSchema.parse(POOL), '/models')
    return hashOfSpec({ ...spec, devices, deviceUuids })
  }
  expect(of(['1'], ['GPU-a'])).toBe(of(['0'], ['GPU-a']))
  expect(of(['0'], ['GPU-b'])).not.toBe(of(['0'], ['GPU-a']))
})

it('an engine outlives its agent unless its pool says otherwise, and only one that is ours', () => {
  const outlives = (change: object) =>
    toPoolSpec(poolSchema.parse({ ...POOL, ...change }), '/models').outlivesAgent
  expect(outlives({})).toBe(true)
  expect(outlives({ lifecycle: { stop_on_exit: true } })).toBe(false)
  expect(outlives({ mode: 'monitored', url: 'http://127.0.0.1:1' })).toBe(false)
})
