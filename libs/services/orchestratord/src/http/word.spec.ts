import { describe, expect, it } from '@jest/globals'
import { PoolState, PoolStateSchema } from '@berth/contract'
import { word } from './word.ts'

describe('the word of an enum value', () => {
  it('is the name without its prefix, or unknown', () => {
    expect(word(PoolStateSchema, PoolState.READY)).toBe('ready')
    expect(word(PoolStateSchema, PoolState.UNSPECIFIED)).toBe('unknown')
    expect(word(PoolStateSchema, 999)).toBe('unknown')
  })
})
