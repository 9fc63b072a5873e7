import { describe, expect, it } from '@jest/globals'
import { OCCUPANCY_BANDS } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import { learnDecode, learnRead, promptBand, speedsToLearn } from './performance-cells.ts'
import { biasFactor, readTable, refreshTables } from './speed-tables.ts'
import { fleetOf } from './testing/fleet.ts'

const start = () => {
  const view = fleetOf(poolSnapshot('a'))
  const kind = [...view.speedClasses.values()][0]!
  const speeds = speedsToLearn(kind, 7, 0)
  const refresh = (nowMs = 0) => {
    kind.isStale = true
    refreshTables(view, kind, nowMs)
  }
  const one = { weight: 1, occupancy: 1, promptTokens: 300 }
  return {
    ...{ view, kind, speeds, refresh },
    decode: (occupancy: number, ms: number) => learnDecode(speeds, { ...one, occupancy, ms }),
    read: (promptTokens: number, ms: number) => learnRead(speeds, { ...one, promptTokens, ms }),
    decodeAt: (occupancy: number) => readTable(speeds.decodeTable, 0, occupancy),
    readAt: (tokens: number) => readTable(speeds.readTable, promptBand(tokens), 1),
  }
}

describe('a table', () => {
  it('knows nothing before it is made, and nothing of what was never measured', () => {
    const { decodeAt, readAt, refresh, read } = start()
    read(300, 1)
    expect([decodeAt(1), readAt(300)]).toEqual([NaN, NaN])
    refresh()
    expect([decodeAt(1), readAt(300)]).toEqual([NaN, 1])
  })

  it('lies on the line through its cells, between them and beyond', () => {
    const { decode, decodeAt, refresh } = start()
    decode(1, 10)
    decode(500, 394)
    refresh()
    const [one, two, three, four, six] = [1, 2, 3, 4, 6].map(decodeAt)
    expect(two! - one!).toBeCloseTo(four! - three!, 4)
    expect(six! - four!).toBeCloseTo(2 * (two! - one!), 4)
    expect(two!).toBeGreaterThan(one!)
    expect(decodeAt(1_000)).toBeGreaterThan(decodeAt(500))
    expect(decodeAt(500) - decodeAt(499)).toBeCloseTo(two! - one!, 3)
  })

  it('goes by long prompts, of which more time is reading', () => {
    const { read, readAt, refresh } = start()
    read(20, 3)
    read(4_000, 0.1)
    refresh()
    // 192 and 3,072 tokens beside the 2,048 of half a weight.
    const [short, long] = [
      192 ** 2 / (192 ** 2 + 2_048 ** 2),
      3_072 ** 2 / (3_072 ** 2 + 2_048 ** 2),
    ]
    expect(readAt(4_000)).toBeCloseTo((3 * short + 0.1 * long) / (short + long), 5)
  })

  it('keeps what is said of unknown prompts to them', () => {
    const { read, readAt, refresh } = start()
    read(0, 50)
    refresh()
    expect([readAt(0), readAt(1_024)]).toEqual([50, NaN])
    read(1_024, 2)
    refresh()
    expect([readAt(0), readAt(1_024)]).toEqual([50, 2])
  })
})

describe('tables are made again', () => {
  const learnAndAsk = (samples: number, nowMs: number) => {
    const { view, kind, decode, decodeAt, refresh } = start()
    view.speedRows.refreshedAtMs = 5_000
    kind.samples = samples
    decode(1, 10)
    refresh(nowMs)
    return { isMade: decodeAt(1) === 10, isStale: kind.isStale, row: view.speedRows }
  }

  it.each([
    ['at once while little is known', 64, 5_000, true],
    ['not at once when much is known', 65, 5_999, false],
    ['a second later in any case', 65, 6_000, true],
    ['when the clock went back', 65, 4_999, true],
  ])('%s', (_, samples, nowMs, isMade) => {
    const made = learnAndAsk(samples, nowMs)
    expect(made).toMatchObject({ isMade, isStale: !isMade })
    expect(made.row.version).toBe(isMade ? 1 : 0)
    expect(made.row.refreshedAtMs).toBe(isMade ? nowMs : 5_000)
  })

  it('of kinds that learned something, with the mean of their pools', () => {
    const { view, kind } = start()
    kind.pools = 4
    kind.read.logSum = 2
    kind.decode.logSum = -1
    refreshTables(view, kind, 0)
    expect([kind.read.logMean, kind.decode.logMean]).toEqual([0, 0])
    kind.isStale = true
    refreshTables(view, kind, 0)
    expect([kind.read.logMean, kind.decode.logMean]).toEqual([0.5, -0.25])
  })
})

describe('how many times as long a pool takes as its kind', () => {
  it.each([
    [0, 0, 1],
    [0.15, 0, 1],
    [-0.15, 0, 1],
    [1.15, 0, Math.E],
    [-1.15, 0, 1 / Math.E],
    [2.15, 1, Math.E],
  ])('is by its bias %d where its kind has %d: %d', (log, logMean, factor) => {
    expect(biasFactor({ log, weight: 9 }, { logSum: 0, logMean })).toBeCloseTo(factor, 9)
  })
})

it('has as many places as cells', () => {
  const { speeds } = start()
  expect(speeds.readTable).toHaveLength(speeds.readMs.length)
  expect(speeds.readTable.length % OCCUPANCY_BANDS).toBe(0)
})
