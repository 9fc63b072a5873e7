import { describe, expect, it } from '@jest/globals'
import type { PerformanceHint } from '@berth/fleet'
import { poolSnapshot } from '@berth/fleet/testing'
import type { ModelId } from '@berth/kernel'
import { UNKNOWN_PROMPT } from './performance-cells.ts'
import { readPublished } from './published-cells.ts'

type Cell = NonNullable<PerformanceHint['cells']>[number]

const cell = (draft: Partial<Cell>): Cell => ({
  modelId: 'm' as ModelId,
  ...{ promptBand: 2, occupancyBand: 0, tokensPerS: 50, firstTokenMs: 768, samples: 4 },
  ...draft,
})
const read = (cells: readonly Cell[] | undefined, band = 2, occupancy = 1) => {
  const hint = { tokensPerS: 1, firstTokenMs: 1, samples: 1 }
  const performance = cells ? { ...hint, cells } : hint
  return readPublished(poolSnapshot('a', { performance }), 'm' as ModelId, [band, occupancy])
}
const NOTHING = { decodeMs: NaN, readMs: NaN }

describe('the speeds a pool published', () => {
  it('are not known without cells, or without one of the model that says a speed', () => {
    expect(readPublished(poolSnapshot('a'), 'm' as ModelId, [2, 1])).toEqual(NOTHING)
    expect(read(undefined)).toEqual(NOTHING)
    expect(read([])).toEqual(NOTHING)
    expect(read([cell({ modelId: 'x' as ModelId }), cell({ tokensPerS: 0 })])).toEqual(NOTHING)
  })

  it('are those of a cell: of a typical prompt of its band, by the token', () => {
    expect(read([cell({})])).toEqual({ decodeMs: 20, readMs: 1 })
  })

  it('count the cell of this prompt and occupancy most, and a neighbour a fifth', () => {
    const far = { tokensPerS: 10, firstTokenMs: 2 * 768 }
    const { decodeMs, readMs } = read([cell({}), cell({ ...far, occupancyBand: 1 })])
    expect(decodeMs).toBeCloseTo((20 + 100 / 5) / (1 + 1 / 5), 9)
    expect(readMs).toBeCloseTo((1 + 2 / 5) / (1 + 1 / 5), 9)
    const below = read([cell({}), cell({ tokensPerS: 10, promptBand: 0 })])
    expect(below.decodeMs).toBeCloseTo((20 + 100 / 17) / (1 + 1 / 17), 9)
  })

  it('count a cell by its samples', () => {
    const { decodeMs } = read([cell({ samples: 3 }), cell({ samples: 1, tokensPerS: 10 })])
    expect(decodeMs).toBeCloseTo((3 * 20 + 100) / 4, 9)
  })

  it('do not ask how long a prompt of unknown length is', () => {
    const cells = [cell({ promptBand: 0, tokensPerS: 10 }), cell({ promptBand: 5 })]
    expect(read(cells, UNKNOWN_PROMPT).decodeMs).toBeCloseTo(60, 9)
  })
})
