import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  figuresOf,
  startTraffic,
  tableOf,
  type Figures,
  type TrafficOptions,
} from './src/traffic.ts'
import { startEngine, type EngineProcess } from './src/testing/engine-process.ts'
import { startLyingRelay, type Lie } from './src/testing/lying-relay.ts'

const REQUESTS = 24
const MODELS = [{ id: 'sim-model' }]

let engine: EngineProcess
beforeAll(async () => {
  engine = await startEngine()
}, 30_000)
afterAll(async () => engine[Symbol.asyncDispose]())

const runThrough = async (lie: Lie, options: Partial<TrafficOptions> = {}) => {
  await using relay = await startLyingRelay(lie, engine.url)
  // The relay lives until the traffic has ended.
  return await startTraffic({
    gateways: [relay.url],
    engines: [engine.url],
    models: MODELS,
    mix: { stream: 1 },
    concurrency: 4,
    seed: nextSeed(),
    maxRequests: REQUESTS,
    ...options,
  }).ended
}

let seed = 100
/** One engine serves all tests, and correlation ids follow from the seed. */
const nextSeed = () => seed++

const CLEAN = {
  failed: 0,
  terminalErrors: 0,
  truncated: 0,
  mismatched: 0,
  duplicated: 0,
  unaccounted: 0,
  leaked: 0,
  late: 0,
}

describe('traffic through an honest relay', () => {
  it('finds every answer right, of all kinds of clients', async () => {
    const mix = { stream: 3, whole: 3, slow: 1, leave: 2 }
    const report = await runThrough('none', { mix, maxRequests: 80, slowPauseMs: 1 })
    const figures = figuresOf(report)
    expect(figures).toMatchObject({ ...CLEAN, sent: 80, ok: 80 - figures.left })
    expect(figures.left).toBeGreaterThan(0)
    expect(new Set(report.entries.map(({ kind }) => kind)).size).toBe(4)
  }, 60_000)

  it('plans the same requests from the same seed', async () => {
    const plan = async () => {
      const report = await runThrough('none', { seed: 7, maxRequests: 10, engines: [] })
      return report.entries.map(({ correlationId, kind }) => `${correlationId} ${kind}`).sort()
    }
    expect(await plan()).toEqual(await plan())
  })

  it('goes on until it is stopped, and finishes what is in flight', async () => {
    await using relay = await startLyingRelay('none', engine.url)
    const seen = Promise.withResolvers<undefined>()
    const traffic = startTraffic({
      gateways: [relay.url],
      models: MODELS,
      concurrency: 3,
      seed: nextSeed(),
      log: () => seen.resolve(undefined),
    })
    await seen.promise
    expect(traffic.snapshot().sent).toBeGreaterThan(0)
    const report = await traffic.stop()
    expect(figuresOf(report)).toMatchObject({ failed: 0, truncated: 0, mismatched: 0 })
    expect(await traffic.stop()).toBe(report)
  })
})

const LIES: readonly [Lie, Partial<Record<keyof Figures, number>>][] = [
  ['drops_event', { mismatched: REQUESTS }],
  ['repeats_event', { mismatched: REQUESTS }],
  ['fakes_done', { mismatched: REQUESTS }],
  ['says_done_twice', { mismatched: REQUESTS }],
  ['ends_without_marker', { truncated: REQUESTS }],
  ['cuts_connection', { truncated: REQUESTS }],
  ['ends_with_error', { terminalErrors: REQUESTS }],
  ['refuses', { failed: REQUESTS }],
  ['asks_twice', { duplicated: REQUESTS, ok: REQUESTS }],
  ['is_late', { late: REQUESTS, ok: REQUESTS }],
]

describe('traffic through a relay that', () => {
  it.each(LIES)(
    '%s counts each of its answers as exactly that',
    async (lie, expected) => {
      const paced = lie === 'cuts_connection'
      await engine.admin.turn({ tokens_per_s: paced ? 200 : 0 })
      const report = await runThrough(lie, { lateMs: 500 })
      await engine.admin.turn({ tokens_per_s: 0 })
      expect(figuresOf(report)).toMatchObject({ ...CLEAN, sent: REQUESTS, ...expected })
    },
    60_000,
  )

  it('says codes, and how late it was at most', async () => {
    const [refused, late] = await Promise.all([runThrough('refuses'), runThrough('is_late')])
    expect(new Set(refused.failed.map(({ code }) => code))).toEqual(new Set(['WORKER_RESET']))
    expect(late.longestAddedWaitMs).toBeGreaterThanOrEqual(700)
    expect(tableOf(refused)).toMatch(/^failed +24$[^]*^failed: traffic-\d+-\d+ - WORKER_RESET$/m)
  }, 60_000)

  it('answers from an engine nobody knows leaves answers unaccounted for', async () => {
    await using other = await startEngine()
    await using relay = await startLyingRelay('none', engine.url, other.url)
    const report = await startTraffic({
      gateways: [relay.url],
      engines: [engine.url],
      models: MODELS,
      mix: { stream: 1 },
      concurrency: 1,
      seed: nextSeed(),
      maxRequests: 10,
    }).ended
    expect(figuresOf(report)).toMatchObject({ ...CLEAN, ok: 10, unaccounted: 5 })
  }, 60_000)

  it('lets the engine work on for clients that left is seen in the engine', async () => {
    await engine.admin.turn({ tokens_per_s: 8 })
    const lie = 'keeps_asking_for_those_who_left'
    // With this seed all four leave within a second, of answers that take ten.
    const leavers = { mix: { leave: 1 }, maxRequests: 4, tokens: { min: 78, max: 80 }, seed: 4 }
    const report = await runThrough(lie, leavers)
    await engine.admin.turn({ tokens_per_s: 0 })
    expect(figuresOf(report)).toMatchObject({ ...CLEAN, left: 4, leaked: 4 })
  }, 60_000)
})

describe('a client', () => {
  it('never tries again by itself, and moves on from a refused connection when told to', async () => {
    const refusing = await refusedUrl()
    const run = (failsOver: boolean) =>
      startTraffic({
        gateways: [refusing, engine.url],
        models: MODELS,
        concurrency: 1,
        seed: 11,
        maxRequests: 12,
        mix: { whole: 1 },
        failsOver,
      }).ended
    const [strict, patient] = [await run(false), await run(true)]
    expect(new Set(strict.failed.map(({ code }) => code))).toEqual(new Set(['ECONNREFUSED']))
    expect(patient.failed).toEqual([])
    expect(patient.failedOver).toBe(strict.failed.length)
  })
})

/** An address where nobody listens. */
const refusedUrl = async (): Promise<string> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}
