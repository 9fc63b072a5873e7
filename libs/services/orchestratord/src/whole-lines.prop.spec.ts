import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createWholeLines } from './whole-lines.ts'

describe('whole lines', () => {
  it('lose and change nothing, and pass on only what ends a line', () => {
    const chunk = fc.string({ unit: fc.constantFrom('a', '\n', '\r', 'é'), maxLength: 12 })
    fc.assert(
      fc.property(fc.array(chunk), (chunks) => {
        const lines = createWholeLines()
        const passed = chunks.map((text) => String(lines.push(Buffer.from(text))))
        for (const text of passed) expect(text === '' || text.endsWith('\n')).toBe(true)
        expect(passed.join('') + String(lines.rest())).toBe(chunks.join(''))
      }),
    )
  })

  it('do not hold a line of any length', () => {
    const lines = createWholeLines()
    const passed = Array.from({ length: 10 }, () => lines.push(Buffer.alloc(100_000, 'a')).length)
    expect(passed.some((bytes) => bytes > 0)).toBe(true)
  })
})
