import { describe, expect, it } from '@jest/globals'
import { createUsageTail } from './usage-tail.ts'

const USAGE = '"usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}'

const readIn = (chunks: readonly string[]) => {
  const tail = createUsageTail()
  for (const chunk of chunks) tail.push(Buffer.from(chunk))
  return tail.read()
}

describe('the usage at the end of a body', () => {
  it.each([
    ['of one answer', [`{"choices":[],${USAGE}}`]],
    ['of a stream', ['data: {"a":1}\n\n', `data: {"choices":[],${USAGE}}\n\ndata: [DONE]\n\n`]],
    ['split anywhere', [...`{"choices":[],${USAGE}}`]],
    ['after a long body', ['x'.repeat(100_000), `{${USAGE}}`]],
  ])('is found in the end %s', (_name, chunks) => {
    expect(readIn(chunks)).toEqual({ tokensIn: 12, tokensOut: 34 })
  })

  it('of embeddings has no tokens out', () => {
    expect(readIn(['{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}'])).toEqual({
      tokensIn: 7,
      tokensOut: 0,
    })
  })

  it.each([
    ['there is none', ['data: {"choices":[]}\n\n']],
    ['it is null', ['data: {"usage":null}\n\n']],
    ['it stands too far from the end', [`{${USAGE}}`, 'x'.repeat(5_000)]],
  ])('is not made up when %s', (_name, chunks) => {
    expect(readIn(chunks)).toBeUndefined()
  })
})
