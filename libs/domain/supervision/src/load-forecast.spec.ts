import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { forecastLoad, learnTimes, type PhaseTimes } from './load-forecast.ts'
import { LOAD_PHASES } from './load-step.ts'

const soFar = { phase: 'load', fromPercent: 0, elapsedMs: 0, isFetched: false } as const
const EARLIER = { load: 6_000, compile: 3_000, warm: 1_000 }

describe('how far a load has come', () => {
  it('goes by the shares that phases took in earlier loads of the same model', () => {
    expect(forecastLoad({ ...soFar, percent: 50 }, EARLIER).percent).toBeCloseTo(30)
    expect(forecastLoad({ ...soFar, phase: 'compile' }, EARLIER).percent).toBeCloseTo(60)
    expect(forecastLoad({ ...soFar, phase: 'warm', percent: 100 }, EARLIER).percent).toBe(100)
  })

  it('goes by time where the engine tells no percent, and waits just before the end', () => {
    const at = (elapsedMs: number) => forecastLoad({ ...soFar, elapsedMs }, EARLIER)
    expect(at(3_000)).toEqual({ percent: 30, etaMs: 7_000 })
    expect(at(60_000).percent).toBeCloseTo(57)
    expect(at(60_000).etaMs).toBe(4_000)
  })

  it('goes by usual shares where no load was seen: 60 fetch, 30 load, 5 compile, 5 warm', () => {
    const fetching = { ...soFar, phase: 'download', isFetched: true } as const
    expect(forecastLoad({ ...fetching, percent: 50 }, undefined).percent).toBeCloseTo(30)
    expect(forecastLoad({ ...soFar, isFetched: true }, undefined).percent).toBeCloseTo(60)
    expect(forecastLoad({ ...soFar, phase: 'compile' }, undefined).percent).toBeCloseTo(75)
    expect(forecastLoad(soFar, undefined)).toEqual({ percent: 0 })
  })

  it('makes room for a phase that earlier loads did not have', () => {
    const fetching = { ...soFar, phase: 'download', isFetched: true } as const
    // 60 parts fetch, 30 parts of 6 s load: 12 s of 18 s.
    expect(forecastLoad({ ...fetching, percent: 50 }, { load: 6_000 }).percent).toBeCloseTo(33.3, 1)
    expect(forecastLoad({ ...soFar, phase: 'compile' }, { load: 6_000 }).percent).toBeCloseTo(
      85.7,
      1,
    )
  })

  it('counts an earlier download only when this load has one', () => {
    const earlier = { download: 10_000, load: 10_000 }
    expect(forecastLoad({ ...soFar, percent: 50 }, earlier).percent).toBe(50)
    expect(forecastLoad({ ...soFar, percent: 50, isFetched: true }, earlier).percent).toBe(75)
  })
})

describe('when a load will be over', () => {
  const fetching = { ...soFar, phase: 'download', isFetched: true } as const

  it('follows from the pace of the phase and from what earlier loads took after it', () => {
    const so = { ...fetching, percent: 20, elapsedMs: 2_000 }
    expect(forecastLoad(so, undefined).etaMs).toBe(8_000)
    expect(forecastLoad(so, EARLIER).etaMs).toBe(18_000)
  })

  it('does not count what was there before a download was resumed', () => {
    const so = { ...fetching, percent: 60, fromPercent: 50, elapsedMs: 1_000 }
    expect(forecastLoad(so, undefined).etaMs).toBe(4_000)
    expect(forecastLoad({ ...so, fromPercent: 60 }, undefined).etaMs).toBeUndefined()
  })
})

describe('what is learned of a load', () => {
  it('moves halfway to the newest', () => {
    expect(learnTimes(undefined, { load: 100 })).toEqual({ load: 100 })
    expect(learnTimes({ load: 100, warm: 4 }, { load: 200 })).toEqual({ load: 150 })
  })

  it('keeps the time of the last download over loads that had none', () => {
    expect(learnTimes({ download: 50, load: 2 }, { load: 2 })).toEqual({ download: 50, load: 2 })
    expect(learnTimes({ download: 50 }, { download: 70 })).toEqual({ download: 60 })
  })
})

it('whatever was seen before, a load is 0 to 100 percent, and later phases are further', () => {
  const time = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true }))
  const times = fc.option(
    fc.record(Object.fromEntries(LOAD_PHASES.map((phase) => [phase, time])), { requiredKeys: [] }),
    { nil: undefined },
  ) as fc.Arbitrary<PhaseTimes | undefined>
  fc.assert(
    fc.property(times, fc.boolean(), time, (earlier, isFetched, elapsedMs) => {
      const percents = LOAD_PHASES.slice(isFetched ? 0 : 1).map(
        (phase) =>
          forecastLoad({ phase, fromPercent: 0, elapsedMs, isFetched, percent: 0 }, earlier)
            .percent,
      )
      for (const [index, percent] of percents.entries()) {
        expect(percent).toBeGreaterThanOrEqual(0)
        expect(percent).toBeLessThanOrEqual(100)
        expect(Number.isFinite(percent)).toBe(true)
        expect(index === 0 || earlier !== undefined || percent >= percents[index - 1]!).toBe(true)
      }
    }),
  )
})
