import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { estimateMemory } from './estimate-memory.ts'
import type { EstimateDevice } from './memory-estimate.ts'
import type { AllocatedPlan } from './memory-plan.ts'
import type { BlockCache, ModelFacts } from './model-facts.ts'
import { LLAMA_3_8B } from './testing/shaped-facts.ts'

const block: fc.Arbitrary<BlockCache> = fc.record({
  keyNumbers: fc.constantFrom(0, 128, 1024),
  valueNumbers: fc.constantFrom(0, 128, 1024),
  kvHeads: fc.constantFrom(0, 1, 8),
  windowTokens: fc.constantFrom(0, 0, 128, 4096),
  stateBytes: fc.constantFrom(0, 0, 65_536),
})
const facts: fc.Arbitrary<ModelFacts> = fc
  .tuple(fc.array(block, { minLength: 1, maxLength: 12 }), fc.boolean())
  .map(([caches, isTied]) => ({
    ...LLAMA_3_8B,
    ...{ caches, isTied, blocks: caches.length, blockBytes: caches.map(() => 1_000_000) },
    weightBytes: 1_000_000 * caches.length + LLAMA_3_8B.inputBytes! + LLAMA_3_8B.outputBytes!,
  }))
const plan: fc.Arbitrary<AllocatedPlan> = fc.record({
  kind: fc.constant('allocated' as const),
  kvTokens: fc.integer({ min: 1, max: 200_000 }),
  sequences: fc.integer({ min: 1, max: 16 }),
  isUnified: fc.boolean(),
  keyBytes: fc.constantFrom(2, 34 / 32, 18 / 32),
  valueBytes: fc.constantFrom(2, 34 / 32, 18 / 32),
  batchTokens: fc.integer({ min: 1, max: 4096 }),
  isWindowIgnored: fc.boolean(),
  hasFlashAttention: fc.boolean(),
  isCacheOnHost: fc.boolean(),
  gpuBlocks: fc.oneof(fc.constant('all' as const), fc.nat(20)),
  overheadBytes: fc.constantFrom(0, 400_000_000),
})
const devices: fc.Arbitrary<readonly EstimateDevice[]> = fc.oneof(
  fc.constant([{ deviceId: 'cpu', kind: 'cpu' } as const]),
  fc
    .integer({ min: 1, max: 4 })
    .map((count) =>
      Array.from({ length: count }, (_, at) => ({ deviceId: `${at}`, kind: 'gpu' as const })),
    ),
)

describe('an estimate for any model, plan and devices', () => {
  it('is its terms, and its devices with main memory', () => {
    fc.assert(
      fc.property(facts, plan, devices, (of, how, on) => {
        const estimate = estimateMemory(of, how, on)
        if (estimate.kind !== 'known') throw new Error(estimate.reason)
        const { terms, perDevice, requiredBytes, hostBytes } = estimate
        const inTerms = terms.reduce((sum, { bytes }) => sum + bytes, 0)
        // Each of a few figures is rounded up to a byte.
        expect(Math.abs(inTerms - requiredBytes - hostBytes)).toBeLessThan(16)
        expect(perDevice.map(({ deviceId }) => deviceId)).toEqual(
          on.map(({ deviceId }) => deviceId),
        )
        expect(perDevice.filter(({ bytes }) => !(bytes >= 0))).toEqual([])
      }),
    )
  })

  it('grows with the context, and never shrinks', () => {
    fc.assert(
      fc.property(
        facts,
        plan,
        devices,
        fc.integer({ min: 0, max: 100_000 }),
        (of, how, on, more) => {
          const sizeOf = (kvTokens: number): number => {
            const estimate = estimateMemory(of, { ...how, kvTokens }, on)
            return estimate.kind === 'known' ? estimate.requiredBytes + estimate.hostBytes : NaN
          }
          expect(sizeOf(how.kvTokens + more)).toBeGreaterThanOrEqual(sizeOf(how.kvTokens))
        },
      ),
    )
  })
})
