import { describe, expect, it } from '@jest/globals'
import { chatPrompt, countTokens, expectedAnswer, expectedText, promptHash } from './index.ts'

const prompt = 'once upon a time'

describe('an expected answer', () => {
  it('never changes between releases, since recorded runs are compared with it', () => {
    expect(expectedText({ engineSeed: 1, prompt, maxTokens: 8 })).toMatchInlineSnapshot(
      `"a strait turns hull under hull flag 東京"`,
    )
    expect(expectedAnswer({ engineSeed: 1, prompt }).length).toMatchInlineSnapshot(`139`)
  })

  it('begins alike whatever max_tokens says', () => {
    const long = expectedText({ engineSeed: 1, prompt, maxTokens: 15 })
    expect(long.startsWith(`${expectedText({ engineSeed: 1, prompt, maxTokens: 5 })} `)).toBe(true)
  })

  it('takes a missing request seed for 0', () => {
    expect(expectedText({ engineSeed: 1, requestSeed: 0, prompt })).toBe(
      expectedText({ engineSeed: 1, prompt }),
    )
  })

  it('depends on the engine seed, the request seed and the prompt', () => {
    const texts = [
      expectedText({ engineSeed: 1, prompt }),
      expectedText({ engineSeed: 2, prompt }),
      expectedText({ engineSeed: 1, requestSeed: 1, prompt }),
      expectedText({ engineSeed: 1, prompt: `${prompt}!` }),
    ]
    expect(new Set(texts).size).toBe(4)
  })

  it('ends with the context, as a length', () => {
    const answer = expectedAnswer({ engineSeed: 1, prompt, contextTokens: 10 })
    expect(answer).toMatchObject({ length: 6, finishReason: 'length' })
  })

  it('holds words of one to four bytes and words that JSON escapes', () => {
    const text = expectedText({ engineSeed: 1, prompt, ignoresEos: true, maxTokens: 3000 })
    expect(
      ['keel', 'café', '東京', '🚢', '"quoted"', 'back\\slash'].filter((word) =>
        text.includes(word),
      ),
    ).toHaveLength(6)
  })
})

describe('a prompt', () => {
  it('is made of a chat in the ChatML layout, with text parts joined', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]
    expect(
      chatPrompt([
        { role: 'system', content: 'be' },
        { role: 'user', content: parts },
      ]),
    ).toBe(
      '<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('counts words as tokens, and is named by 16 hex digits', () => {
    expect([countTokens('a  b\nc'), countTokens('')]).toEqual([3, 1])
    expect(promptHash('a')).toMatch(/^[0-9a-f]{16}$/)
    expect(promptHash('a')).not.toBe(promptHash('b'))
  })
})
