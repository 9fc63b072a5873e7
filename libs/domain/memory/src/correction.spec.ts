import { describe, expect, it } from '@jest/globals'
import {
  correctionFor,
  correctionKey,
  learn,
  NO_CORRECTIONS,
  readCorrections,
} from './correction.ts'

const subject = {
  model: 'hf:Qwen/Qwen3-8B@main',
  engine: 'llamacpp',
  engineVersion: 'b8193',
  flags: { ctx: 8192, split: '1,1' },
}

describe('a correction', () => {
  it('is of loads alike: model, engine and flags, but not the patch release', () => {
    const key = correctionKey(subject)
    expect(correctionKey({ ...subject, engineVersion: 'b8101' })).toBe(key)
    expect(correctionKey({ ...subject, flags: { split: '1,1', ctx: 8192 } })).toBe(key)
    const others = [
      { ...subject, model: 'hf:Qwen/Qwen3-8B@next' },
      { ...subject, engine: 'vllm' },
      { ...subject, engineVersion: 'b8201' },
      { ...subject, flags: { ctx: 4096, split: '1,1' } },
    ]
    expect(new Set([key, ...others.map(correctionKey)]).size).toBe(5)
  })

  it('is right after one load, and follows later ones by half', () => {
    const once = learn(NO_CORRECTIONS, 'k', { estimateBytes: 100, usedBytes: 120 })
    expect(correctionFor(once, 'k')).toBeCloseTo(1.2)
    const twice = learn(once, 'k', { estimateBytes: 100, usedBytes: 100 })
    expect(twice).toEqual([{ learnKey: 'k', ratio: expect.closeTo(1.1), samples: 2 }])
    expect(correctionFor(twice, 'unknown')).toBe(1)
  })

  it('learns nothing of figures that mean nothing, and does not run away', () => {
    expect(learn([], 'k', { estimateBytes: 0, usedBytes: 5 })).toEqual([])
    expect(learn([], 'k', { estimateBytes: 5, usedBytes: 0 })).toEqual([])
    const far = learn([], 'k', { estimateBytes: 1, usedBytes: 1e12 })
    expect(correctionFor(far, 'k')).toBe(4)
  })

  it('forgets what was learned longest ago', () => {
    let all = NO_CORRECTIONS
    for (let at = 0; at < 600; at++) {
      all = learn(all, `k${at}`, { estimateBytes: 1, usedBytes: 1 })
      all = learn(all, 'kept', { estimateBytes: 1, usedBytes: 2 })
    }
    expect(all).toHaveLength(512)
    expect(correctionFor(all, 'kept')).toBe(2)
    expect(all.some(({ learnKey }) => learnKey === 'k0')).toBe(false)
  })

  it('is read back as far as it can be understood', () => {
    const learned = learn([], 'k', { estimateBytes: 1, usedBytes: 2 })
    expect(readCorrections(JSON.parse(JSON.stringify(learned)))).toEqual(learned)
    expect(readCorrections('no list')).toEqual([])
    expect(
      readCorrections([null, 7, { learnKey: 'x' }, { learnKey: 'x', ratio: -1, samples: 1 }]),
    ).toEqual([])
  })
})
