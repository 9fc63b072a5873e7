import { describe, expect, it } from '@jest/globals'
import { createDeathCount } from './death-count.ts'

describe('the death count', () => {
  it('is over at the sixth death within a minute', () => {
    const deaths = createDeathCount()
    const over = [0, 1, 2, 3, 4, 5].map((second) => deaths.isOver(second * 1_000))
    expect(over).toEqual([false, false, false, false, false, true])
  })

  it('forgets deaths older than a minute', () => {
    const deaths = createDeathCount()
    const over = [0, 1, 2, 3, 4, 61, 62].map((second) => deaths.isOver(second * 1_000))
    expect(over).toEqual([false, false, false, false, false, false, false])
  })
})
