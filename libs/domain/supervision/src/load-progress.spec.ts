import { describe, expect, it } from '@jest/globals'
import { BerthError } from '@berth/kernel'
import { isLoadOver, loadGoesOn, loadHasFailed, loadIsReady } from './load-progress.ts'

const facts = { modelId: 'm', phase: 'download', percent: 12.5, startedAtMs: 1_000 } as const
const going = loadGoesOn({ ...facts, bytesDone: 25, bytesTotal: 200, etaMs: 50 })
const failure = { reason: 'out_of_vram', message: 'It does not fit.' }

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return BerthError.from(error).reason
  }
  return 'none'
}

describe('the progress of a load [003-TC-03]', () => {
  it('[001-MLP-1, 001-MLP-2, 001-MLP-3, 001-MLP-4, 001-MLP-7, 001-MLP-9] names model, percent, bytes and start of a download', () => {
    expect(going).toEqual({ ...facts, bytesDone: 25, bytesTotal: 200, etaMs: 50, isKnown: true })
    expect(isLoadOver(going)).toBe(false)
  })

  it('[001-MLP-8] has no end while it goes on', () => {
    expect(going.completedAtMs).toBeUndefined()
  })

  it.each(['download', 'load', 'compile', 'warm'] as const)(
    '[001-MLP-5] is in phase %s',
    (phase) => {
      expect(loadGoesOn({ ...facts, phase }).phase).toBe(phase)
    },
  )

  it.each([
    ['both are told and fit', { bytesDone: 10, bytesTotal: 10 }, true],
    ['the total is not known', { bytesDone: 10 }, false],
    ['nothing is told', {}, false],
    ['there is more than all', { bytesDone: 11, bytesTotal: 10 }, false],
  ])('[001-MLP-6] is known when bytes so far and in total fit: %s', (_what, bytes, isKnown) => {
    expect(loadGoesOn({ ...facts, ...bytes }).isKnown).toBe(isKnown)
  })

  it('[001-MLP-10] ends ready, at 100 percent, with its time and no estimate', () => {
    const ready = loadIsReady(going, 5_000)
    expect(ready).toEqual({
      ...{ ...facts, bytesDone: 25, bytesTotal: 200, isKnown: true },
      ...{ phase: 'ready', percent: 100, completedAtMs: 5_000 },
    })
    expect(isLoadOver(ready)).toBe(true)
  })

  it('[001-MLP-11] ends failed where it stood, with the class of the failure', () => {
    const failed = loadHasFailed(going, 5_000, failure)
    expect(failed).toEqual({
      ...{ ...facts, bytesDone: 25, bytesTotal: 200, isKnown: true },
      ...{ phase: 'failed', completedAtMs: 5_000, failure },
    })
    expect(isLoadOver(failed)).toBe(true)
  })

  it('[001-MLP-12] is never changed once it is made', () => {
    const failed = loadHasFailed(going, 5_000, failure)
    for (const made of [going, loadIsReady(going, 5_000), failed, failed.failure])
      expect(Object.isFrozen(made)).toBe(true)
    expect(() => Object.assign(going, { percent: 99 })).toThrow(TypeError)
    expect(going.percent).toBe(12.5)
  })

  it.each([
    ['a model without a name', { modelId: '' }],
    ['less than nothing', { percent: -1 }],
    ['more than all', { percent: 101 }],
    ['a percent that is no number', { percent: NaN }],
    ['negative bytes', { bytesDone: -1 }],
    ['a total without end', { bytesTotal: Infinity }],
    ['a start before time', { startedAtMs: -1 }],
    ['an estimate of the past', { etaMs: -1 }],
  ])('[001-MLP-13] is not made of %s', (_what, wrong) => {
    expect(refusal(() => loadGoesOn({ ...facts, ...wrong }))).toBe('INVALID_PARAMS')
  })

  it('[001-MLP-13] does not end before it began', () => {
    expect(refusal(() => loadIsReady(going, 999))).toBe('INVALID_PARAMS')
    expect(loadIsReady(going, 1_000).completedAtMs).toBe(1_000)
  })

  it('[001-MLP-13] says everything that is wrong at once', () => {
    const wrong = () => loadGoesOn({ ...facts, modelId: '', percent: 200 })
    expect(wrong).toThrow('No load is like this: a load has a model; percent is 0 to 100, not 200.')
  })
})
