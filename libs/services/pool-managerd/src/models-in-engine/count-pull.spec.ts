import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createPullCount } from './count-pull.ts'

const sign = (part: string, bytesDone: number, bytesTotal: number) =>
  ({ kind: 'progress', step: '', part, bytesDone, bytesTotal }) as const

describe('the bytes of a download', () => {
  it('are those of all its parts, of which later ones are known later', () => {
    const count = createPullCount()
    expect(count.sum()).toBeUndefined()
    count.add(sign('big', 10, 100))
    count.add({ kind: 'progress', step: 'verifying' })
    expect(count.sum()).toEqual({ bytesDone: 10, bytesTotal: 100 })
    count.add(sign('small', 5, 5))
    expect(count.sum()).toEqual({ bytesDone: 15, bytesTotal: 105 })
  })

  it('are not taken back when it begins again after a break', () => {
    const count = createPullCount()
    count.add(sign('big', 60, 100))
    count.add(sign('big', 0, 100))
    expect(count.sum()?.bytesDone).toBe(60)
  })

  it('never exceed the whole, whatever an engine counts', () => {
    const anySign = fc.tuple(fc.string(), fc.nat(), fc.nat())
    fc.assert(
      fc.property(fc.array(anySign, { minLength: 1 }), (signs) => {
        const count = createPullCount()
        for (const [part, done, total] of signs) count.add(sign(part, done, total))
        const { bytesDone, bytesTotal } = count.sum()!
        expect(bytesDone).toBeLessThanOrEqual(bytesTotal)
      }),
    )
  })
})
