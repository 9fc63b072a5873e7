import { describe, expect, it } from '@jest/globals'
import { formatDuration } from './status-line.ts'
import { formatTable } from './table.ts'

describe('what status prints', () => {
  it.each([
    [999, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min 0 s'],
    [3_599_999, '59 min 59 s'],
    [3_600_000, '1 h 0 min'],
    [90_061_000, '25 h 1 min'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('aligns columns and leaves no blanks at the end of a line', () => {
    expect(
      formatTable(
        ['POOL', 'STATE'],
        [
          ['a', 'ready'],
          ['longer', 'x'],
        ],
      ),
    ).toEqual(['POOL    STATE', 'a       ready', 'longer  x'])
  })
})
