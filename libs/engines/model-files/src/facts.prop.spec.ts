import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { estimateMemory, type ModelFacts } from '@berth/memory'
import fc from 'fast-check'
import { factsFromConfig } from './facts-from-config.ts'
import { factsFromGguf } from './facts-from-gguf.ts'
import type { HeaderValue, JsonObject } from './raw-header.ts'
import { NO_TENSORS } from './testing/no-tensors.ts'

const dir = join(import.meta.dirname, '../fixtures')
const configs = readdirSync(dir)
  .filter((name) => name.endsWith('.json'))
  .map(
    (name) =>
      JSON.parse(
        readFileSync(join(dir, name), 'utf8').replace(/\bInfinity\b/, 'null'),
      ) as JsonObject,
  )

const ARCHITECTURES = [
  'llama',
  'gemma3',
  'gemma4',
  'deepseek2',
  'gpt-oss',
  'qwen35moe',
  'mamba',
  'nemotron_h',
  'falcon-h1',
  'rwkv7',
  'lfm2',
  'minimax-01',
  'kimi-linear',
  'bert',
  'x',
]
const KEYS = [
  ...['block_count', 'embedding_length', 'context_length', 'feed_forward_length', 'vocab_size'],
  ...[
    'attention.head_count',
    'attention.head_count_kv',
    'attention.key_length',
    'attention.value_length',
  ],
  ...['attention.sliding_window', 'attention.sliding_window_pattern', 'attention.key_length_mla'],
  ...[
    'attention.shared_kv_layers',
    'nextn_predict_layers',
    'full_attention_interval',
    'expert_count',
  ],
  ...[
    'expert_used_count',
    'ssm.conv_kernel',
    'ssm.inner_size',
    'ssm.state_size',
    'ssm.group_count',
  ],
  ...['wkv.head_size', 'shortconv.l_cache', 'kda.head_dim', 'attention.recurrent_layers'],
]
const number = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 53, NaN),
)
const value: fc.Arbitrary<HeaderValue> = fc.oneof(
  { weight: 6, arbitrary: number },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 2, arbitrary: fc.array(number, { maxLength: 64 }) },
  { weight: 1, arbitrary: fc.array(fc.boolean(), { maxLength: 64 }) },
)

/** Facts hold sizes that a sum can be made of, and never more blocks than an engine takes. */
const expectSound = (facts: ModelFacts): void => {
  const { dimensions, caches = [], widths, recurrentBytes = 0 } = facts
  const figures = [
    ...[facts.weightBytes, facts.contextLength, facts.blocks, recurrentBytes],
    ...Object.values(dimensions ?? {}),
    ...Object.values(widths ?? {}),
    ...caches.flatMap((block) => Object.values(block)),
  ]
  expect(figures.filter((figure) => !Number.isFinite(figure) || figure < 0)).toEqual([])
  expect(caches.length).toBeLessThanOrEqual(1024)
  // Messages hold them in 32 bits, and a message that cannot be made hides a host.
  const { kvDtypeBytes: _, ...counts } = { kvDtypeBytes: 0, ...dimensions }
  const untold = Object.values(counts).filter((count) => count !== count >>> 0)
  expect(untold).toEqual([])
  const plan = { keyBytes: 2, valueBytes: 2, batchTokens: 512, isWindowIgnored: false } as const
  const estimate = estimateMemory(
    facts,
    {
      ...plan,
      kind: 'allocated',
      kvTokens: 4096,
      sequences: 2,
      gpuBlocks: 'all',
      overheadBytes: 0,
    },
    [{ deviceId: 'cpu', kind: 'cpu' }],
  )
  expect(['known', 'unknown']).toContain(estimate.kind)
}

describe('facts of headers that anybody wrote', () => {
  it('are sound, or few: of a GGUF with any keys', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ARCHITECTURES),
        fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 24 }),
        (architecture, keys) => {
          const named = Object.entries(keys).map(([key, each]) => [`${architecture}.${key}`, each])
          const metadata = { 'general.architecture': architecture, ...Object.fromEntries(named) }
          expectSound(
            factsFromGguf({ kind: 'gguf', metadata, arrayLengths: {}, tensors: NO_TENSORS }),
          )
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('are sound, or few: of the config of a public model with any of its keys replaced', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...configs),
        fc.array(fc.tuple(fc.nat(60), fc.oneof(number, fc.jsonValue({ maxDepth: 2 }))), {
          maxLength: 6,
        }),
        (config, changes) => {
          const keys = Object.keys(config)
          const changed = Object.fromEntries(
            changes.map(([at, each]) => [keys[at % keys.length]!, each]),
          )
          const text = config['text_config']
          const inner = typeof text === 'object' ? { text_config: { ...text, ...changed } } : {}
          expectSound(
            factsFromConfig({
              ...{ kind: 'safetensors', tensors: NO_TENSORS },
              config: { ...config, ...changed, ...inner },
              quantConfig: changed,
            }),
          )
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('are sound, or few: of any JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (config) => {
        expectSound(factsFromConfig({ kind: 'safetensors', config, tensors: NO_TENSORS }))
      }),
    )
  })
})
