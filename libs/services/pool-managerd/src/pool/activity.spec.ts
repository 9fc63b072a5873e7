import { describe, expect, it } from '@jest/globals'
import { judgeActivity, type Activity, type Flow } from './activity.ts'

const LIVE = { hasLiveCounters: true }
const flowing: Flow = { isHeldBack: false, hasStreamed: true }
const silent: Flow = { isHeldBack: false, hasStreamed: false }
const heldBack: Flow = { isHeldBack: true, hasStreamed: true }
const of = (flows: readonly Flow[], more: Partial<Activity> = {}): Activity => ({
  relayedBytes: 10,
  answered: 1,
  leases: flows.map((flow) => ({ flow: () => flow })),
  ...more,
})
const isBusy = (...args: Parameters<typeof judgeActivity>) => judgeActivity(...args).isBusy
const progress = (...args: Parameters<typeof judgeActivity>) => judgeActivity(...args).progress

describe('an engine is busy', () => {
  it('while a request waits for it', () => {
    expect(isBusy(of([]), {}, LIVE)).toBe(false)
    expect(isBusy(of([silent]), {}, LIVE)).toBe(true)
  })

  it('by its own account too, when a request of its own outlives its client', () => {
    expect(isBusy(of([]), { running: 1, waiting: 0 }, LIVE)).toBe(true)
    expect(isBusy(of([]), { running: 0, waiting: 1 }, LIVE)).toBe(true)
  })

  it('not with requests that wait for their reader', () => {
    expect(isBusy(of([heldBack]), { running: 1 }, LIVE)).toBe(false)
    expect(isBusy(of([heldBack, flowing]), { running: 2 }, LIVE)).toBe(true)
  })

  it('not before the first part of an answer where its counters prove nothing until the end', () => {
    expect(isBusy(of([silent]), { running: 1 }, {})).toBe(false)
    expect(isBusy(of([flowing]), { running: 1 }, {})).toBe(true)
  })
})

describe('progress is', () => {
  const before = progress(of([flowing]), { generatedTokensTotal: 5, running: 1 }, LIVE)
  it.each([
    ['a byte relayed', of([flowing], { relayedBytes: 11 }), { generatedTokensTotal: 5 }],
    ['an answer ended', of([flowing], { answered: 2 }), { generatedTokensTotal: 5 }],
    ['a token counted', of([flowing]), { generatedTokensTotal: 6 }],
    ['a prompt read', of([flowing]), { generatedTokensTotal: 5, promptTokensTotal: 1 }],
    [
      'a token of a running request',
      of([flowing]),
      { generatedTokensTotal: 5, tokensInProgress: 1 },
    ],
  ])('%s', (_what, activity, metrics) => {
    expect(progress(activity, metrics, LIVE)).not.toBe(before)
  })

  it('not a request that arrives or is given up', () => {
    const metrics = { generatedTokensTotal: 5, running: 2 }
    expect(progress(of([flowing, silent]), metrics, LIVE)).toBe(before)
    expect(progress(of([]), metrics, LIVE)).toBe(before)
  })
})
