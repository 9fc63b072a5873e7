import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  createPrefixIndex,
  forgetPool,
  forgetPrefix,
  prefixIndexBytes,
  rememberPrefix,
  type PrefixIndex,
} from './prefix-index.ts'
import { heldBlocks, matchedBlocks, matchPrefix } from './prefix-match.ts'
import { SHELF_SIZE } from './prefix-shelf.ts'

const POOLS = 40
const SALT = 5

/** A path in a tree of texts, as a chain: equal beginnings, and no others, have equal hashes. */
const chainOf = (path: readonly number[]): Uint32Array => {
  let text = 0
  return Uint32Array.from(
    path.flatMap((branch, at) => {
      text = text * 3 + branch
      return [Math.imul(text, 0x9e37_79b1), at]
    }),
  )
}
const pathArbitrary = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 8 })
const eventArbitrary = fc.record({
  kind: fc.constantFrom('remember', 'remember', 'remember', 'forget pool', 'forget prefix'),
  pool: fc.integer({ min: 0, max: POOLS - 1 }),
  path: pathArbitrary,
})
type Event = typeof eventArbitrary extends fc.Arbitrary<infer T> ? T : never

const useOf = (chain: Uint32Array, capacityTokens = Infinity, tailTokens = 0) => ({
  ...{ chain, capacityTokens, tailTokens },
  salt: SALT,
  blockTokens: 512,
})

/** What each pool holds, as a set of paths: the obvious way to keep it. */
const createModel = () => Array.from({ length: POOLS }, () => new Set<string>())

const apply = (index: PrefixIndex, model: Set<string>[], { kind, pool, path }: Event) => {
  const held = model[pool]!
  const chain = chainOf(path)
  switch (kind) {
    case 'remember':
      rememberPrefix(index, pool, useOf(chain))
      path.forEach((_, at) => held.add(path.slice(0, at + 1).join()))
      break
    case 'forget pool':
      forgetPool(index, pool)
      held.clear()
      break
    default:
      // As a grant that is void does: all that goes on from a place of the chain.
      forgetPrefix(index, pool, { chain, salt: SALT }, 0)
      path.forEach((_, at) => held.delete(path.slice(0, at + 1).join()))
  }
}

const depthIn = (held: ReadonlySet<string>, path: readonly number[]): number => {
  let depth = 0
  while (depth < path.length && held.has(path.slice(0, depth + 1).join())) depth += 1
  return depth
}

describe('the prefix index', () => {
  it('tells of one pool what a set of its blocks would', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 60 }), pathArbitrary, (events, path) => {
        const index = createPrefixIndex()
        const model = createModel()
        for (const event of events) apply(index, model, event)
        const chain = chainOf(path)
        for (const [pool, held] of model.entries()) {
          expect(heldBlocks(index, pool, chain, SALT)).toBe(depthIn(held, path))
        }
      }),
    )
  })

  it('finds the longest beginning of every pool in one walk', () => {
    const events = fc.array(fc.record({ pool: fc.nat(POOLS - 1), path: pathArbitrary }), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(events, pathArbitrary, (uses, path) => {
        const index = createPrefixIndex()
        for (const { pool, path: used } of uses) {
          rememberPrefix(index, pool, useOf(chainOf(used)))
        }
        const chain = chainOf(path)
        const isMatch = matchPrefix(index, chain, SALT)
        const found = Array.from({ length: POOLS }, (_, pool) =>
          isMatch ? matchedBlocks(index, pool) : 0,
        )
        const one = found.map((_, pool) => heldBlocks(index, pool, chain, SALT))
        expect(found).toEqual(one)
      }),
    )
  })

  it('knows another model by nothing', () => {
    const index = createPrefixIndex()
    rememberPrefix(index, 0, useOf(chainOf([1, 2])))
    expect(matchPrefix(index, chainOf([1, 2]), SALT + 1)).toBe(false)
  })

  it('forgets the end of the chain that was used longest ago, as a full cache does', () => {
    const index = createPrefixIndex()
    const room = 4 * 512
    const [old, young] = [chainOf([0, 0]), chainOf([1, 1])]
    rememberPrefix(index, 0, useOf(old, room))
    rememberPrefix(index, 0, useOf(young, room))
    rememberPrefix(index, 0, useOf(chainOf([2]), room))
    expect([heldBlocks(index, 0, old, SALT), heldBlocks(index, 0, young, SALT)]).toEqual([1, 2])
  })

  it('counts what a prompt takes beyond its chain', () => {
    const index = createPrefixIndex()
    const old = chainOf([0, 0])
    rememberPrefix(index, 0, useOf(old, 4 * 512))
    rememberPrefix(index, 0, useOf(chainOf([1]), 4 * 512, 1_024))
    expect(heldBlocks(index, 0, old, SALT)).toBe(1)
  })

  it('keeps within 64 KB for each pool, however many prompts there were', () => {
    const pools = 4
    const index = createPrefixIndex()
    for (let prompt = 0; prompt < pools * SHELF_SIZE; prompt++) {
      rememberPrefix(index, prompt % pools, useOf(chainOf([prompt, 1])))
    }
    expect(index.blocks.used).toBe(pools * SHELF_SIZE)
    expect(prefixIndexBytes(index) / pools).toBeLessThanOrEqual(64 * 1_024)
  })

  it('keeps within 64 KB for each pool where all hold the same', () => {
    const pools = 200
    const index = createPrefixIndex()
    for (let prompt = 0; prompt < SHELF_SIZE; prompt++) {
      const chain = chainOf([prompt])
      for (let pool = 0; pool < pools; pool++) rememberPrefix(index, pool, useOf(chain))
    }
    expect(matchPrefix(index, chainOf([1]), SALT)).toBe(true)
    expect(matchedBlocks(index, pools - 1)).toBe(1)
    expect(prefixIndexBytes(index) / pools).toBeLessThanOrEqual(64 * 1_024)
  })

  it('holds no block once no pool is left', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 60 }), (events) => {
        const index = createPrefixIndex()
        const model = createModel()
        for (const event of events) apply(index, model, event)
        for (let pool = 0; pool < POOLS; pool++) forgetPool(index, pool)
        expect([index.blocks.used, index.rows.size]).toEqual([0, 0])
      }),
    )
  })
})
