import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { llamacppDriver } from '@berth/drivers'
import {
  balanceOf,
  emptyLedger,
  estimateMemory,
  weighClaim,
  type KnownEstimate,
  type MemoryPlan,
  type ModelFacts,
} from '@berth/memory'
import { root } from './src/project-files.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const page = readFileSync(join(root, 'docs/models.md'), 'utf8')

/** The first table after a heading, each row by its headings, without back-ticks. */
const tableOf = (title: string): Readonly<Record<string, string>>[] => {
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const block = section.split('\n\n').find((part) => /^\s*\|/.test(part)) ?? ''
  const [heading = [], , ...rows] = block
    .trim()
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replaceAll('`', '')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  return rows.map((cells) => Object.fromEntries(cells.map((cell, at) => [heading[at]!, cell])))
}

const numberOf = (text = '') => Number(text.replaceAll(',', ''))

/** The model of the page, by the numbers it gives: 16-bit weights, and norms of 32 bits. */
const factsOf = (said: Readonly<Record<string, number>>): ModelFacts => {
  const { blocks = 0, width = 0, heads = 0, vocabulary = 0 } = said
  const { 'feed forward': forward = 0, 'KV heads': kvHeads = 0, 'head size': headSize = 0 } = said
  const kv = kvHeads * headSize
  const norm = width * 4
  const block = width * (2 * width + 2 * kv + 3 * forward) * 2 + 2 * norm
  const embedding = vocabulary * width * 2
  const ends = { inputBytes: embedding, outputBytes: embedding + norm }
  const cache = { keyNumbers: kv, valueNumbers: kv, kvHeads, windowTokens: 0, stateBytes: 0 }
  const repeated = <T>(value: T) => Array.from({ length: blocks }, () => value)
  return {
    ...{ format: 'gguf', architecture: 'llama', quantization: 'F16', contextLength: 8_192 },
    ...{ blocks, embeddingLength: width, vocabularySize: vocabulary, ...ends },
    weightBytes: 2 * embedding + norm + blocks * block,
    blockBytes: repeated(block),
    caches: repeated(cache),
    widths: {
      ...{ heads, queryNumbers: heads * headSize, feedForward: forward },
      ...{ expertsUsed: 0, expertFeedForward: 0 },
    },
  }
}

const facts = factsOf(
  Object.fromEntries(
    tableOf('A worked example').map((row) => [row['of the model']!, numberOf(row['is'])]),
  ),
)
const DEVICE = { deviceId: '0', totalBytes: 24 * GIB, freeBytes: 23 * GIB }
const planOf = (slots: number, options = {}): MemoryPlan => {
  const engine = { engine: 'llamacpp', mode: 'managed', shutdownGraceMs: 0 } as const
  const spec = { ...engine, slots, contextLength: 8_192, options, modelId: 'm' }
  const gpu = { deviceId: '0', uuid: 'GPU-1', kind: 'nvidia', computeCapability: '8.9' } as const
  return llamacppDriver.memoryPlan!(spec, { devices: ['0'], gpus: [gpu] })
}
const estimateOf = (plan: MemoryPlan): KnownEstimate => {
  const estimate = estimateMemory(facts, plan, [{ ...DEVICE, kind: 'gpu' }])
  expect(estimate.kind).toBe('known')
  return estimate as KnownEstimate
}
const needOf = ({ requiredBytes }: KnownEstimate) => {
  const ledger = { ...emptyLedger(), devices: [DEVICE] }
  const perDevice = [{ deviceId: '0', bytes: requiredBytes }]
  const [need] = weighClaim(ledger, {
    ...{ entryId: 'e', poolId: 'p', modelId: 'm', learnKey: 'k', perDevice },
  })
  return { bytes: need!.requiredBytes, room: balanceOf(ledger, '0') }
}
const mib = (bytes: number) => (bytes / MIB).toFixed(1)

const gib = (bytes: number) => (bytes / GIB).toFixed(2)

describe('docs/models.md', () => {
  it('computes its worked example as the agent would', () => {
    const estimate = estimateOf(planOf(4))
    const terms = estimate.terms.map(({ name, bytes }) => [name, mib(bytes)])
    const said = tableOf('Term by term').map((row) => [row['term'], row['MiB']])
    expect(said).toEqual([...terms, ['on the device', mib(estimate.requiredBytes)]])
  })

  it('says of each variant what the ledger would', () => {
    const rows = tableOf('What the ledger makes of it')
    const verdicts = rows.map(({ slots = '', cache = '' }) => {
      const estimate = estimateOf(
        planOf(Number(slots), { cache_type_k: cache, cache_type_v: cache }),
      )
      const { bytes, room } = needOf(estimate)
      const mayTake = room.availableBytes! - room.headroomBytes
      return {
        ...{ slots, cache, 'on the device': gib(estimate.requiredBytes), 'with 10 %': gib(bytes) },
        ...{ 'may take': gib(mayTake), verdict: bytes <= mayTake ? 'fits' : 'does not fit' },
      }
    })
    expect(rows).toEqual(verdicts)
    expect(new Set(rows.map(({ verdict }) => verdict)).size).toBe(2)
  })
})
