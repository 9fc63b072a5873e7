import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { estimateTokens } from './estimate-tokens.ts'
import { createPromptMeter } from './prefix-chain.ts'
import { readPrompt } from './prompt.ts'

const CHAT = '/v1/chat/completions'
const BLOCK = 2_048

const measure = createPromptMeter()
const measured = (body: object, { route = CHAT, tenant = 't' } = {}) =>
  measure(readPrompt(route, body as Record<string, unknown>)!, tenant)
const chainOf = (...given: Parameters<typeof measured>): string[] => {
  const { chain } = measured(...given)
  expect(chain.length % 8).toBe(0)
  return Array.from({ length: chain.length / 8 }, (_, block) =>
    Buffer.from(chain.subarray(block * 8, block * 8 + 8)).toString('hex'),
  )
}
const user = (content: unknown) => ({ role: 'user', content })
const text = (length: number, letter = 'a') => letter.repeat(length)

const message = fc.record({
  role: fc.constantFrom('system', 'user', 'assistant'),
  content: fc.string({ unit: 'grapheme', maxLength: 3_000, size: 'max' }),
})

describe('the chain of a prompt', () => {
  it('goes on where an earlier turn of the same conversation ended', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), message, (messages, next) => {
        const before = chainOf({ messages })
        const after = chainOf({ messages: [...messages, next] })
        expect(after.slice(0, before.length)).toEqual(before)
      }),
    )
  })

  it('has a hash for each whole block of 2 KiB, and of the first 64', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200_000 }), (length) => {
        const blocks = Math.floor(length / BLOCK)
        // The end of the text is one more byte, which may complete a block.
        const counts = [Math.min(blocks, 64), Math.min(Math.floor((length + 1) / BLOCK), 64)]
        const { chain, utf8Bytes } = measured(
          { prompt: text(length) },
          { route: '/v1/completions' },
        )
        expect(counts).toContain(chain.length / 8)
        expect(utf8Bytes).toBe(length)
      }),
    )
  })

  it('differs from the first block that differs, and in all after it', () => {
    const [one, two] = ['b', 'c'].map((letter) =>
      chainOf({ messages: [user(text(3 * BLOCK) + letter + text(3 * BLOCK))] }),
    )
    const equal = one!.map((hash, block) => hash === two![block])
    expect(equal).toEqual([true, true, true, false, false, false])
  })

  it('is salted by tenant', () => {
    const body = { messages: [user(text(3 * BLOCK))] }
    const [ours, theirs] = ['ours', 'theirs'].map((tenant) => chainOf(body, { tenant }))
    expect(ours!.filter((hash) => theirs!.includes(hash))).toEqual([])
    expect(chainOf(body, { tenant: 'ours' })).toEqual(ours)
  })

  it('begins with the tools, and tells who says what', () => {
    const messages = [user(text(3 * BLOCK))]
    const plain = chainOf({ messages })
    const tools = [{ type: 'function', function: { name: 'f' } }]
    expect(chainOf({ messages, tools })[0]).not.toBe(plain[0])
    expect(chainOf({ messages: [{ ...messages[0], role: 'system' }] })[0]).not.toBe(plain[0])
    const halves = [user(text(BLOCK)), user(text(2 * BLOCK))]
    expect(chainOf({ messages: halves })).not.toEqual(plain)
  })

  it('reads parts of text as it reads a text, counts images, and stops at one it cannot read', () => {
    const long = user([{ type: 'text', text: text(3 * BLOCK) }])
    expect(chainOf({ messages: [long] })).toEqual(chainOf({ messages: [user(text(3 * BLOCK))] }))
    const image = (url: string) => user([{ type: 'image_url', image_url: { url } }])
    const after = user(text(3 * BLOCK))
    const [cat, dog] = ['cat', 'dog'].map((name) =>
      chainOf({ messages: [long, image(`https://x/${name}.png`), after] }),
    )
    expect([cat!.length, cat!.slice(0, 3)]).toEqual([6, dog!.slice(0, 3)])
    expect(cat![3]).not.toBe(dog![3])
    const inline = chainOf({ messages: [long, image(`data:${text(5_000)}`), after] })
    expect(inline).toEqual(cat!.slice(0, 3))
    expect(readPrompt(CHAT, { messages: [long, image(`data:${text(5_000)}`)] })?.images).toBe(1)
  })

  it.each([
    ['/v1/embeddings', { input: text(9_000) }],
    ['/v1/completions', { prompt: [1, 2, 3] }],
    [CHAT, { messages: 'none' }],
    [CHAT, {}],
  ])('is none for a body at %s whose prompt is not known (%#)', (route, body) => {
    expect(readPrompt(route, body)).toBeUndefined()
  })

  it('never throws, whatever JSON the messages are', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (messages, tools) => {
        const prompt = readPrompt(CHAT, { messages: [messages, messages], tools })
        expect(measure(prompt!, 't').utf8Bytes).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

describe('the tokens of a prompt', () => {
  it('are estimated from its text, not from the body around it', () => {
    const prompt = readPrompt(CHAT, { messages: [user(text(396))] })!
    expect(estimateTokens(prompt, measure(prompt, 't').utf8Bytes, 5_000)).toBe(100)
    expect(estimateTokens(undefined, undefined, 5_000)).toBe(1_250)
    const photo = [{ image_url: { url: `data:${text(1_000_000)}` } }]
    const seen = readPrompt(CHAT, { messages: [user(photo)] })!
    expect(estimateTokens(seen, measure(seen, 't').utf8Bytes, 1_000_200)).toBe(766)
  })
})
