import { expect, it } from '@jest/globals'
import { advance } from './load-step.ts'

const fetched = advance(undefined, { phase: 'download', bytesDone: 5, bytesTotal: 10 }, 1)

it('takes the first sign as it is, whatever its phase', () => {
  expect(fetched).toEqual({
    ...{ phase: 'download', bytesDone: 5, bytesTotal: 10, phaseAt: 1, advancedAt: 1 },
  })
  expect(advance(undefined, { phase: 'warm' }, 3)).toEqual({
    ...{ phase: 'warm', phaseAt: 3, advancedAt: 3 },
  })
})

it('goes on by more bytes or more percent, and keeps when the phase began', () => {
  const more = advance(fetched, { phase: 'download', bytesDone: 6 }, 2)
  expect(more).toEqual({ ...fetched, bytesDone: 6, advancedAt: 2 })
  const further = advance(more, { phase: 'download', percent: 70, bytesDone: 2 }, 3)
  expect(further).toEqual({ ...fetched, bytesDone: 6, percent: 70, advancedAt: 3 })
})

it('tells what was fetched on while the engine loads it', () => {
  const loading = advance(fetched, { phase: 'load', percent: 10 }, 9)
  expect(loading).toEqual({
    ...{ phase: 'load', percent: 10, bytesDone: 5, bytesTotal: 10, phaseAt: 9, advancedAt: 9 },
  })
  expect(advance(loading, { phase: 'compile', bytesDone: 7 }, 10)).toMatchObject({ bytesDone: 7 })
})

it('stays the same value for what is over and for what is no news', () => {
  const loading = advance(fetched, { phase: 'load', percent: 10 }, 9)
  expect(advance(loading, { phase: 'download', percent: 99 }, 10)).toBe(loading)
  expect(advance(loading, { phase: 'load', percent: 10 }, 10)).toBe(loading)
  expect(advance(loading, { phase: 'load' }, 10)).toBe(loading)
})

it('leaves out figures that cannot be', () => {
  const odd = { phase: 'load', percent: 250, bytesDone: -1, bytesTotal: NaN } as const
  expect(advance(undefined, odd, 1)).toEqual({
    ...{ phase: 'load', percent: 100, phaseAt: 1, advancedAt: 1 },
  })
})
