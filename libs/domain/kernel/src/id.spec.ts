import { describe, expect, it } from '@jest/globals'
import { isCorrelationId, parseHostId, parseJobId, parseModelId, parsePoolId } from './id.ts'

describe('ids', () => {
  it.each(['a', 'gpu-01', '0', 'x'.repeat(63)])('accepts the pool id %j', (id) => {
    expect(parsePoolId(id)).toBe(id)
  })

  it.each(['', 'GPU', 'a_b', 'a/b', '../a', 'a b', 'x'.repeat(64), 'é', 'a\n'])(
    'refuses the pool id %j and names the rule',
    (id) => {
      expect(() => parsePoolId(id)).toThrow(/Pool id .* is not valid: 1 to 63/)
      expect(() => parseHostId(id)).toThrow(/Host id/)
    },
  )

  it.each(['llama-3-8b', 'Qwen/Qwen3-8B', 'hf.co/x:Q4_K_M', 'modèle'])(
    'accepts the model id %j',
    (id) => {
      expect(parseModelId(id)).toBe(id)
    },
  )

  it.each(['', '--help', '-m', 'a b', 'a\u0000b', 'a\nb', 'm'.repeat(257)])(
    'refuses the model id %j',
    (id) => {
      expect(() => parseModelId(id)).toThrow(/Model id .* is not valid/)
    },
  )

  it('shows at most 80 characters of a bad id', () => {
    expect(() => parseJobId(' '.repeat(10_000))).toThrow(/^Job id .{0,90} is not valid/)
  })

  it('echoes only harmless correlation ids', () => {
    expect(isCorrelationId('req-1.a_B')).toBe(true)
    expect(isCorrelationId('a'.repeat(65))).toBe(false)
    expect(isCorrelationId('a\r\nSet-Cookie: x')).toBe(false)
  })
})
