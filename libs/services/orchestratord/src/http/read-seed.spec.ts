import { describe, expect, it } from '@jest/globals'
import { readSeed } from './read-seed.ts'

const read = (seed: string) => {
  const text = `{"seed": ${seed}, "messages": [{"seed": 5}]}`
  return readSeed((JSON.parse(text) as { readonly seed: unknown }).seed, text)
}

describe('the seed of a strict job', () => {
  it.each(['0', '7', '9007199254740993', '9223372036854775807'])('may be %s', (seed) => {
    expect(read(seed)).toBe(BigInt(seed))
  })

  it('may be left out', () => {
    expect(readSeed(undefined, '{"messages":[{"seed":5}]}')).toBeUndefined()
  })

  it.each(['-1', '1.5', '9223372036854775808', '1e400', '1e3000', '"7"', 'null', 'true', '[7]'])(
    'must not be %s',
    (seed) => {
      expect(() => read(seed)).toThrow('must be a whole number from 0 to 9223372036854775807')
    },
  )
})
