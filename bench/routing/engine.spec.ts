import { describe, expect, it } from '@jest/globals'
import type { EngineSpec } from './engine-speed.ts'
import { leastOutstanding, random, roundRobin } from './policies/blind.ts'
import { replay, type Replayed } from './replay.ts'
import { toTrace, type Trace } from './trace.ts'

/** 10 ms an iteration and 1 ms a prompt token: times that can be added up by hand. */
const PLAIN: EngineSpec = {
  gpu: 'plain',
  cost: { fixedMs: 10, promptTokenMs: 1, attendedTokenMs: 0, sequenceMs: 0, kvTokenMs: 0 },
  maxBatchedTokens: 100,
  maxSeqs: 4,
  kvTokens: 10_000,
}

const ask = (arrivalMs: number, promptTokens: number, outputTokens = 1, blocks: number[] = []) => ({
  arrivalMs,
  promptTokens,
  outputTokens,
  blocks,
})

const play = (trace: Trace, spec: EngineSpec = PLAIN, engines = 1): Replayed =>
  replay(trace, leastOutstanding('equal'), {
    fleet: Array.from({ length: engines }, () => spec),
    seed: 1,
    scrapeMs: 100,
  })

const one = (...rows: readonly ReturnType<typeof ask>[]) => toTrace('by hand', rows, 10)

/** Requests of every size, more than the engines have places and cache for. */
const crowd = toTrace(
  'crowd',
  Array.from({ length: 400 }, (_, n) => {
    const blocks = Array.from({ length: (n * 13) % 9 }, (_, at) => at * 50 + (n % 7))
    return ask(n * 3, 10 * blocks.length + 1 + (n % 10), 1 + ((n * 31) % 60), blocks)
  }),
  10,
)

describe('an iteration', () => {
  it('reads a prompt in chunks of the budget, and writes the first token with the last', () => {
    const { firstTokenMs, finishedMs } = play(one(ask(0, 250, 1)))
    expect(firstTokenMs[0]).toBe(3 * 10 + 250)
    expect(finishedMs[0]).toBe(280)
  })

  it('gives every sequence that decodes a token while it reads the prompt of another', () => {
    const { firstTokenMs, finishedMs } = play(one(ask(0, 10, 5), ask(1, 50, 1)))
    // 20 ms for the first prompt; then 60 ms with the second and one token; three more of 10 ms.
    expect(firstTokenMs[1]).toBe(20 + 60)
    expect(finishedMs[0]).toBe(20 + 60 + 3 * 10)
  })

  it('takes in a request that arrives between tokens when the one under way is over', () => {
    const { firstTokenMs, finishedMs } = play(one(ask(0, 10, 20), ask(45, 10, 1)))
    expect(firstTokenMs[1]).toBe(50 + 20)
    expect(finishedMs[0]).toBe(20 + 19 * 10 + 10)
  })

  it('reads longer the more context it attends to, and the more cache its sequences have', () => {
    const cost = { ...PLAIN.cost, attendedTokenMs: 0.01, kvTokenMs: 0.1 }
    const { firstTokenMs, finishedMs } = play(one(ask(0, 100, 3)), { ...PLAIN, cost })
    expect(firstTokenMs[0]).toBeCloseTo(110 + 0.01 * 100 * 50)
    expect(finishedMs[0]! - firstTokenMs[0]!).toBeCloseTo(2 * 10 + 0.1 * (100 + 101))
  })
})

describe('places and cache', () => {
  it('are given in order of arrival, and a request without a place waits for one', () => {
    const rows = Array.from({ length: 5 }, () => ask(0, 10, 3))
    const { firstTokenMs, finishedMs } = play(one(...rows))
    expect(firstTokenMs[4]).toBe(finishedMs[0]! + 20)
  })

  it('do not let more tokens in than the cache holds', () => {
    const spec = { ...PLAIN, kvTokens: 100 }
    const { firstTokenMs, finishedMs } = play(one(ask(0, 60, 3), ask(0, 60, 3)), spec)
    expect(firstTokenMs[1]!).toBeGreaterThan(finishedMs[0]!)
  })

  it('let the youngest start again when sequences outgrow the cache, and lose nothing', () => {
    const spec = { ...PLAIN, kvTokens: 100 }
    const { finishedMs, firstTokenMs } = play(one(ask(0, 40, 30), ask(0, 40, 30)), spec)
    expect(finishedMs[1]! - finishedMs[0]!).toBeGreaterThan(40)
    expect(firstTokenMs[1]!).toBeLessThan(finishedMs[0]!)
  })
})

describe('the prefix cache', () => {
  it('saves the whole blocks a prompt shares with one that was read before', () => {
    const first = ask(0, 40, 1, [1, 2, 3, 4])
    const second = ask(1_000, 45, 1, [1, 2, 9, 9])
    expect(play(one(first, second)).cached).toEqual(Int32Array.of(0, 20))
  })

  it('reads at least the last token of a prompt it has as a whole', () => {
    const { cached } = play(one(ask(0, 40, 1, [1, 2, 3, 4]), ask(1_000, 40, 1, [1, 2, 3, 4])))
    expect(cached[1]).toBe(30)
  })

  it('drops what was let go first when it needs the room', () => {
    const spec = { ...PLAIN, kvTokens: 60 }
    const rows = [
      ask(0, 21, 1, [1, 2]),
      ask(1_000, 21, 1, [5, 6]),
      ask(2_000, 31, 1, [7, 8, 9]),
      ask(3_000, 21, 1, [5, 6]),
      ask(4_000, 21, 1, [1, 2]),
    ]
    expect(Array.from(play(one(...rows), spec).cached)).toEqual([0, 0, 0, 20, 0])
  })

  it('finds nothing in a trace that does not tell what prompts share', () => {
    const rows = [ask(0, 40, 1, [1, 2]), ask(1_000, 40, 1, [1, 2])]
    expect(Array.from(play(toTrace('blind', rows, 0)).cached)).toEqual([0, 0])
  })
})

describe('a replay', () => {
  it('finishes every request once, after its first token, with all its tokens', () => {
    const { produced, firstTokenMs, finishedMs } = play(crowd, { ...PLAIN, kvTokens: 300 }, 2)
    expect(produced).toEqual(crowd.outputTokens)
    const orders = Array.from(finishedMs, (ms, n) => {
      const isAfterFirst = ms >= firstTokenMs[n]!
      return isAfterFirst && firstTokenMs[n]! > crowd.arrivalMs[n]!
    })
    expect(orders).not.toContain(false)
  })

  it('keeps an engine at work: it is over when the work is', () => {
    const rows = Array.from({ length: 50 }, () => ask(0, 100, 1))
    const { finishedMs } = play(one(...rows))
    expect(Math.max(...finishedMs)).toBe(50 * 110)
  })

  it('is the same twice, and another one with another seed', () => {
    const fleet = [PLAIN, PLAIN, PLAIN]
    const finished = (seed: number) =>
      replay(crowd, random('equal'), { fleet, seed, scrapeMs: 100 }).finishedMs
    expect(finished(1)).toEqual(finished(1))
    expect(finished(1)).not.toEqual(finished(2))
  })

  it('goes round the replicas by their speed when told to', () => {
    const slow = { ...PLAIN, cost: { ...PLAIN.cost, promptTokenMs: 3 } }
    const settings = { fleet: [PLAIN, slow], seed: 1, scrapeMs: 100 }
    const { replica } = replay(crowd, roundRobin('speed'), settings)
    expect(replica.filter((index) => index === 0)).toHaveLength(300)
  })
})
