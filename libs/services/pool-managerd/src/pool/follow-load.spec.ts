import { afterEach, describe, expect, it } from '@jest/globals'
import { seededRng } from '@berth/kernel'
import { createSimClock } from '@berth/kernel/testing'
import { createLogger } from '@berth/runtime'
import {
  DEFAULT_POLICY,
  instanceOf,
  newSupervised,
  step,
  type LoadProgress,
  type PhaseTimes,
  type SupervisionEvent,
} from '@berth/supervision'
import { poolSchema } from '../pools-file/pool-schema.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { toPoolSpec } from '../pools-file/to-pool-spec.ts'
import { createLoadFollower, type LoadFollower } from './follow-load.ts'

const ENTRY = { id: 'a', engine: 'sim', model: 'm' }
const GOOD = { verdict: 'healthy' } as const
const CRASH = { kind: 'out_of_vram', message: 'It does not fit.', isRetriable: true } as const
const BAD = { kind: 'model_invalid', message: 'It is no model.', isRetriable: false } as const

let follower: LoadFollower | undefined
afterEach(() => follower?.[Symbol.dispose]())

/** A pool on a virtual clock, and everything that is told of its loads. */
const follow = (entry: object = ENTRY, earlier?: PhaseTimes) => {
  const clock = createSimClock(1_000_000)
  const spec = toPoolSpec(poolSchema.parse(entry), '/models')
  const policy = { ...DEFAULT_POLICY, hasProcess: spec.policy.hasProcess }
  const rng = seededRng(1)
  const lines: Record<string, unknown>[] = []
  const learned: (readonly [string, PhaseTimes])[] = []
  const log = createLogger({
    ...{ name: 'test', format: 'json' },
    level: 'info',
    destination: { write: (line) => void lines.push(JSON.parse(line) as never) },
  })
  let supervised = newSupervised(clock.now(), spec.modelRef)
  const loads = (follower = createLoadFollower({
    ...{ clock, log, look: () => ({ supervised, spec }) },
    times: {
      find: () => earlier,
      learn: (of: PoolSpec, took: PhaseTimes) => void learned.push([of.modelRef, took]),
    },
  }))
  const told: LoadProgress[] = []
  loads.onProgress((progress) => told.push(progress))
  const happens = (...events: readonly object[]) => {
    for (const event of events) {
      const instanceId = instanceOf(supervised.state)
      const whole = { ...(instanceId ? { instanceId } : {}), ...event } as SupervisionEvent
      const context = { poolId: 'a', now: clock.now(), rng, policy }
      const next = step(supervised, whole, context)
      supervised = next.pool
      for (const effect of next.effects)
        if (effect.kind === 'instance_ended') loads.ended(effect.report)
      loads.changed()
    }
  }
  const healthy = { kind: 'probed', result: GOOD, isListening: true, isIdle: true }
  return { clock, loads, told, learned, lines, happens, healthy, pool: () => supervised }
}

const START = { kind: 'start' }
const LAUNCHED = { kind: 'launched' }
const sign = (phase: string, figures: object = {}) => ({ kind: 'load_sign', phase, ...figures })

describe('the loads of a pool', () => {
  it('[001-MLP-7, 001-MLP-8, 001-MLP-10] are told from the first byte to ready, and what each phase took is learned', async () => {
    const test = follow()
    test.happens(START)
    expect(test.loads.current).toBeUndefined()
    test.happens(sign('download', { bytesDone: 0, bytesTotal: 100 }))
    await test.clock.advance(3_000)
    test.happens(sign('download', { bytesDone: 50, bytesTotal: 100 }))
    expect(test.loads.current).toEqual({
      ...{ modelId: 'm', phase: 'download', percent: 30, bytesDone: 50, bytesTotal: 100 },
      ...{ isKnown: true, startedAtMs: 1_000_000, etaMs: 3_000 },
    })
    await test.clock.advance(3_000)
    test.happens(LAUNCHED)
    await test.clock.advance(2_000)
    test.happens(sign('warm'))
    await test.clock.advance(1_000)
    test.happens(test.healthy)
    expect(test.loads.current).toBeUndefined()
    expect(test.told.at(-1)).toMatchObject({
      ...{ phase: 'ready', percent: 100, completedAtMs: 1_009_000, startedAtMs: 1_000_000 },
    })
    expect(test.learned).toEqual([['m', { download: 6_000, load: 2_000, warm: 1_000 }]])
    expect(test.told.filter(({ completedAtMs }) => completedAtMs !== undefined)).toHaveLength(1)
  })

  it('[001-API-6] are told at most twice a second while they go on', async () => {
    const test = follow()
    test.happens(START, sign('download', { percent: 0 }))
    for (let percent = 0; percent < 100; percent += 1) {
      await test.clock.advance(100)
      test.happens(sign('download', { percent }))
    }
    // At the beginning, then each half second of ten.
    expect(test.told.length).toBeLessThanOrEqual(21)
    expect(test.told.length).toBeGreaterThan(15)
  })

  it('never go back, whatever their figures do', async () => {
    const test = follow(ENTRY, { load: 1_000, warm: 9_000 })
    test.happens(START, LAUNCHED)
    for (const event of [sign('load', { percent: 90 }), sign('warm'), sign('load')]) {
      await test.clock.advance(5_000)
      test.happens(event)
    }
    const percents = test.told.map(({ percent }) => percent)
    expect(percents).toEqual([...percents].sort((a, b) => a - b))
  })

  it('go by the time that earlier loads took where the engine says nothing', async () => {
    const test = follow(ENTRY, { load: 10_000 })
    test.happens(START, LAUNCHED)
    await test.clock.advance(4_000)
    expect(test.loads.current).toMatchObject({ percent: 40, etaMs: 6_000 })
    expect(test.told.length).toBeGreaterThan(5)
  })

  it('[001-MLP-11] end failed, with the class of the crash, and nothing is learned', async () => {
    const test = follow()
    test.happens(START, LAUNCHED, { kind: 'exited', report: CRASH })
    expect(test.told.at(-1)).toMatchObject({
      ...{ phase: 'failed', failure: { reason: 'out_of_vram', message: 'It does not fit.' } },
    })
    expect(test.learned).toEqual([])
    // The next start is another load.
    test.happens({ kind: 'gone' })
    await test.clock.advance(5_000)
    test.happens({ kind: 'timer', name: 'backoff' }, LAUNCHED)
    expect(test.loads.current).toMatchObject({ startedAtMs: 1_005_000, percent: 0 })
  })

  it('end failed with the class of what was refused before there was a process', () => {
    const test = follow()
    test.happens(START, sign('download'), { kind: 'launch_failed', report: BAD })
    expect(test.pool().state.kind).toBe('failed')
    expect(test.told.at(-1)?.failure).toEqual({
      ...{ reason: 'model_invalid', message: 'It is no model.' },
    })
  })

  it('end when the pool is stopped meanwhile', () => {
    const test = follow()
    test.happens(START, LAUNCHED, { kind: 'stop', drainMs: 0 })
    expect(test.told.at(-1)?.failure?.reason).toBe('stopped')
  })

  it('[003-NFR-016] are logged every 10 to 20 s', async () => {
    const test = follow()
    test.happens(START, LAUNCHED)
    await test.clock.advance(61_000)
    expect(test.lines.map(({ msg }) => msg)).toEqual(Array(4).fill('model is being loaded'))
    expect(test.lines[0]).toMatchObject({ model_id: 'm', phase: 'load' })
  })

  it('are none of an engine that was taken over, of one that others run, and of one without a model', () => {
    const adopted = follow()
    adopted.happens({ kind: 'adopt', adopted: { instanceId: 'i' } })
    const url = 'http://127.0.0.1:1'
    const attached = follow({ ...ENTRY, engine: 'vllm', mode: 'external', url })
    attached.happens(START, LAUNCHED)
    const empty = follow({ id: 'a', engine: 'sim' })
    empty.happens(START, LAUNCHED, sign('load'))
    for (const { told, loads } of [adopted, attached, empty]) {
      expect(told).toEqual([])
      expect(loads.current).toBeUndefined()
    }
  })

  it('hold no timer once they are over', async () => {
    const test = follow()
    test.happens(START, LAUNCHED)
    expect(test.clock.pending()).toBe(1)
    test.happens(test.healthy)
    expect(test.clock.pending()).toBe(0)
  })
})

describe('the load of a reload', () => {
  const RELOAD = { kind: 'reload', model: 'b', deadlineMs: 1_000, onDeadline: 'force' }
  const fetched = { kind: 'stage_sign', model: 'b', phase: 'download', bytesDone: 5, bytesTotal: 9 }
  const staging = () => {
    const test = follow()
    test.happens(START, LAUNCHED, test.healthy, RELOAD, { kind: 'idle' }, fetched)
    return test
  }

  it('is one from the first byte, through the switch of engines, to ready', async () => {
    const test = staging()
    const first = test.loads.current
    expect(first).toMatchObject({ modelId: 'b', phase: 'download', bytesDone: 5 })
    await test.clock.advance(1_000)
    test.happens({ kind: 'staged', model: 'b' })
    expect(test.loads.current).toMatchObject({ phase: 'download', startedAtMs: 1_000_000 })
    test.happens({ kind: 'gone' }, LAUNCHED)
    expect(test.loads.current).toMatchObject({ phase: 'load', startedAtMs: 1_000_000 })
    test.happens(test.healthy)
    expect(test.told.at(-1)).toMatchObject({ modelId: 'b', phase: 'ready' })
    expect(test.learned.at(-1)?.[0]).toBe('b')
  })

  it('fails with what staging said when the old engine is kept', () => {
    const test = staging()
    test.happens({ kind: 'stage_failed', model: 'b', report: BAD })
    expect(test.pool().state.kind).toBe('ready')
    expect(test.told.at(-1)).toMatchObject({
      ...{ modelId: 'b', phase: 'failed', failure: { reason: 'model_invalid' } },
    })
    // A later start of the old engine is a good one all the same.
    test.happens({ kind: 'restart', drainMs: 0 }, { kind: 'gone' }, LAUNCHED, test.healthy)
    expect(test.told.at(-1)).toMatchObject({ modelId: 'm', phase: 'ready' })
  })

  it('fails where the new engine crashes, and going back is a load of its own', () => {
    const test = staging()
    test.happens({ kind: 'staged', model: 'b' }, { kind: 'gone' }, LAUNCHED)
    test.happens({ kind: 'exited', report: CRASH }, { kind: 'gone' })
    expect(test.told.at(-1)).toMatchObject({ modelId: 'b', phase: 'failed' })
    test.happens(LAUNCHED, test.healthy)
    expect(test.told.at(-1)).toMatchObject({ modelId: 'm', phase: 'ready' })
  })
})
