import { describe, expect, it } from '@jest/globals'
import { chatEngine } from './engine-speed.ts'
import { berth } from './policies/berth.ts'
import { replay } from './replay.ts'
import { toTrace } from './trace.ts'

describe('berth in a replay', () => {
  it('holds requests while no slot is free, in order, and gives every slot back', () => {
    const spec = { ...chatEngine('h100'), maxSeqs: 2 }
    const rows = Array.from({ length: 40 }, (_, n) => ({
      arrivalMs: n,
      promptTokens: 500,
      outputTokens: 20,
      blocks: [],
    }))
    const trace = toTrace('burst', rows, 0)
    const replayed = replay(trace, berth(), { fleet: [spec, spec], seed: 1, scrapeMs: 100 })
    const { dispatchedMs, finishedMs } = replayed
    expect(Array.from(dispatchedMs)).toEqual([...dispatchedMs].sort((a, b) => a - b))
    const atOnce = Array.from(
      dispatchedMs,
      (ms) => finishedMs.filter((end, n) => dispatchedMs[n]! <= ms && end > ms).length,
    )
    expect(Math.max(...atOnce)).toBe(4)
  })

  it('sends a conversation where it was read before', () => {
    const turns = Array.from({ length: 12 }, (_, n) => ({
      arrivalMs: n * 20_000,
      promptTokens: 512 * (n + 4),
      outputTokens: 50,
      blocks: Array.from({ length: n + 4 }, (_, at) => at),
    }))
    const trace = toTrace('talk', turns, 512)
    const fleet = Array.from({ length: 4 }, () => chatEngine('h100'))
    const { replica } = replay(trace, berth(), { fleet, seed: 1, scrapeMs: 100 })
    expect(new Set(replica)).toEqual(new Set([replica[0]]))
  })
})
