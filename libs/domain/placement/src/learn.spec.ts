import { describe, expect, it } from '@jest/globals'
import { release, type FleetView } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { ModelId } from '@berth/kernel'
import { noteRelease } from './evidence.ts'
import { place } from './place.ts'
import type { PlacementJob } from './placement-job.ts'
import { AGELESS, fleetOf, grantOn } from './testing/fleet.ts'
import { plainJob } from './testing/job.ts'

/** What one kind of request really takes, and how much of its prompt it is asked with. */
interface Request {
  readonly promptTokens: number
  readonly tokensIn: number
  readonly firstTokenMs: number
}

const DECODE_MS = 990
const TOKENS_OUT = 100

const predict = (view: FleetView, job: PlacementJob, now: number) => {
  const decision = place(view, job, AGELESS, now)
  return decision.kind === 'assigned' ? decision.predictedEndMs : NaN
}

/** Serves a request `times` times, each when the one before is over; what was predicted of each. */
const serve = (view: FleetView, request: Request, times: number, startMs = 0): number[] =>
  Array.from({ length: times }, (_, n) => {
    const { promptTokens, firstTokenMs, tokensIn } = request
    const job = plainJob({ promptTokens, expectedTokens: TOKENS_OUT })
    const atMs = startMs + n * 10_000
    const predictedMs = predict(view, job, atMs)
    const note = grantOn(view, 'a', job, atMs)
    release(view, note.poolId)
    const measured = { tokensIn, tokensOut: TOKENS_OUT, firstTokenMs, decodeMs: DECODE_MS }
    noteRelease(view, note, { ...measured, isComplete: true }, atMs + firstTokenMs + DECODE_MS)
    return predictedMs
  })

describe('a prediction of requests that are all alike', () => {
  it.each<[string, Request]>([
    ['nobody knows the prompt', { promptTokens: 0, tokensIn: 0, firstTokenMs: 100 }],
    ['an unknown prompt was short', { promptTokens: 0, tokensIn: 9, firstTokenMs: 100 }],
    ['an unknown prompt was long', { promptTokens: 0, tokensIn: 20_000, firstTokenMs: 4_000 }],
    ['the prompt is short', { promptTokens: 9, tokensIn: 9, firstTokenMs: 100 }],
    ['the prompt is long', { promptTokens: 20_000, tokensIn: 20_000, firstTokenMs: 4_000 }],
    ['the prompt was guessed too long', { promptTokens: 4_000, tokensIn: 9, firstTokenMs: 100 }],
    ['the prompt was guessed too short', { promptTokens: 9, tokensIn: 4_000, firstTokenMs: 800 }],
  ])('comes within a tenth of the measured time when %s', (_, request) => {
    const last = serve(fleetOf(poolSnapshot('a')), request, 20).at(-1)!
    const tookMs = request.firstTokenMs + DECODE_MS
    expect(Math.abs(last - tookMs) / tookMs).toBeLessThan(0.1)
  })
})

describe('what is learned of one length of prompt', () => {
  const short: Request = { promptTokens: 20, tokensIn: 20, firstTokenMs: 60 }
  const long: Request = { promptTokens: 4_000, tokensIn: 4_000, firstTokenMs: 400 }
  const unknown: Request = { promptTokens: 0, tokensIn: 9, firstTokenMs: 2_000 }

  it.each([
    ['short and long', short, long],
    ['long and unknown', long, unknown],
  ])('leaves the predictions of others alone: %s', (_, one, other) => {
    const view = fleetOf(poolSnapshot('a'))
    for (let n = 0; n < 20; n++) {
      serve(view, one, 1, n * 20_000)
      serve(view, other, 1, n * 20_000 + 10_000)
    }
    for (const request of [one, other]) {
      const [predictedMs] = serve(view, request, 1, 500_000)
      const tookMs = request.firstTokenMs + DECODE_MS
      expect(Math.abs(predictedMs! - tookMs) / tookMs).toBeLessThan(0.25)
    }
  })
})

describe('what is learned of pools of one kind', () => {
  it('is kept for each model while every pool has one of its own', () => {
    const poolIds = ['a', 'b', 'c', 'd', 'e']
    const models = poolIds.map((poolId) => poolSnapshot(poolId, { models: [`m-${poolId}`] }))
    const view = fleetOf(...models)
    const jobFor = (poolId: string) =>
      plainJob({ modelId: `m-${poolId}` as ModelId, promptTokens: 100, expectedTokens: 10 })
    poolIds.forEach((poolId, n) => {
      const note = grantOn(view, poolId, jobFor(poolId), 0)
      release(view, note.poolId)
      const measured = { tokensIn: 100, tokensOut: 10, firstTokenMs: 50, decodeMs: 9_000 * (n + 1) }
      noteRelease(view, note, { ...measured, isComplete: true }, 60_000)
    })
    const predicted = poolIds.map((poolId) => predict(view, jobFor(poolId), 70_000))
    predicted.forEach((endMs, n) => expect(endMs / (9_000 * (n + 1))).toBeCloseTo(1, 0))
  })
})
