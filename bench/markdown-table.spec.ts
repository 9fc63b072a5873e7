import { describe, expect, it } from '@jest/globals'
import { markdownTable } from './markdown-table.ts'

describe('a table of rows', () => {
  it('has a column for each field, numbers on the right and nothing for what is absent', () => {
    const rows = [
      { way: 'alone', wait_p99_ms: 952, ratio: null },
      { way: 'fair', wait_p99_ms: 34_311, ratio: 0.999 },
    ]
    expect(markdownTable(rows).split('\n')).toEqual([
      '| way   | wait p99 ms | ratio |',
      '| ----- | ----------: | ----: |',
      '| alone |         952 |       |',
      '| fair  |      34,311 | 0.999 |',
      '',
    ])
  })
})
