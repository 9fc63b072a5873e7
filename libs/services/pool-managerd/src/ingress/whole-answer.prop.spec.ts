import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createUsageFilter } from './hide-usage.ts'
import { createAnswerBuilder } from './whole-answer.ts'

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end))
}
const places = fc.array(fc.nat(), { maxLength: 12 })

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 7, model: 'm' }
const USAGE = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }
const event = (chunk: unknown, end = '\n') => `data: ${JSON.stringify(chunk)}${end}${end}`
const choiceEvent = (index: number, delta: object, finish: string | null = null, more = {}) =>
  event({ ...HEAD, choices: [{ index, delta, ...more, finish_reason: finish }] })
const DONE = 'data: [DONE]\n\n'
const usageEvent = (more: object = {}) => event({ ...HEAD, choices: [], usage: USAGE, ...more })

const whole = (text: string, cuts: readonly number[] = []) => {
  const builder = createAnswerBuilder()
  for (const piece of cut(Buffer.from(text), cuts)) builder.push(piece)
  return { answer: builder.end(), usage: builder.read() }
}
const filtered = (text: string, cuts: readonly number[] = []) => {
  const filter = createUsageFilter()
  const pieces = cut(Buffer.from(text), cuts).flatMap((piece) => filter.push(piece))
  return { text: Buffer.concat([...pieces, ...filter.end()]).toString(), usage: filter.read() }
}

describe('an answer made whole', () => {
  it('is the same wherever its stream is cut', () => {
    const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(texts, places, (parts, cuts) => {
        const first = choiceEvent(0, { role: 'assistant', content: null })
        const tokens = parts.map((content) => choiceEvent(0, { content })).join('')
        const text = `: ping\n\n${first}${tokens}${choiceEvent(0, {}, 'stop')}${usageEvent()}${DONE}`
        const { answer, usage } = whole(text, cuts)
        expect(answer).toEqual({
          status: 200,
          body: {
            ...{ ...HEAD, object: 'chat.completion', usage: USAGE },
            choices: [
              {
                index: 0,
                message: { role: 'assistant', content: parts.join('') },
                finish_reason: 'stop',
              },
            ],
          },
        })
        expect(usage).toEqual({ tokensIn: 3, tokensOut: 5 })
      }),
    )
  })

  it('joins the parts of calls by their place, which it does not tell', () => {
    const call = (index: number, more: object) => ({ tool_calls: [{ index, ...more }] })
    const { answer } = whole(
      [
        choiceEvent(0, { role: 'assistant', content: null }),
        choiceEvent(
          0,
          call(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '' } }),
        ),
        choiceEvent(0, call(0, { function: { arguments: '{"x":' } })),
        choiceEvent(
          0,
          call(1, { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } }),
        ),
        choiceEvent(0, call(0, { function: { arguments: '1}' } })),
        choiceEvent(0, {}, 'tool_calls'),
        DONE,
      ].join(''),
    )
    expect(answer?.body['choices']).toEqual([
      {
        index: 0,
        message: {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
            { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
          ],
        },
        finish_reason: 'tool_calls',
      },
    ])
  })

  it('keeps several choices apart, with their probabilities and what engines add', () => {
    const logprobs = (token: string) => ({ logprobs: { content: [{ token, logprob: -1 }] } })
    const { answer } = whole(
      [
        choiceEvent(1, { content: 'b' }, null, logprobs('b')),
        choiceEvent(0, { content: 'a', reasoning_content: 'hm' }, null, logprobs('a')),
        choiceEvent(0, { content: 'A', reasoning_content: 'm' }, 'stop', {
          ...logprobs('A'),
          stop_reason: 42,
        }),
        choiceEvent(1, { content: 'B' }, 'length', { logprobs: null }),
        usageEvent({ timings: { predicted_n: 2 } }),
        DONE,
      ].join(''),
    )
    expect(answer?.body).toMatchObject({ timings: { predicted_n: 2 }, usage: USAGE })
    expect(answer?.body['choices']).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: 'aA', reasoning_content: 'hmm' },
        logprobs: {
          content: [
            { token: 'a', logprob: -1 },
            { token: 'A', logprob: -1 },
          ],
        },
        stop_reason: 42,
        finish_reason: 'stop',
      },
      {
        index: 1,
        message: { role: 'assistant', content: 'bB' },
        logprobs: { content: [{ token: 'b', logprob: -1 }] },
        finish_reason: 'length',
      },
    ])
  })

  it('joins the texts and probabilities of completions', () => {
    const head = { id: 'cmpl-1', object: 'text_completion', created: 7, model: 'm' }
    const part = (text: string, tokens: string[], finish: string | null) =>
      event({ ...head, choices: [{ index: 0, text, logprobs: { tokens }, finish_reason: finish }] })
    const { answer } = whole(part('a', ['a'], null) + part('b', ['b'], 'stop') + DONE)
    expect(answer?.body).toEqual({
      ...head,
      choices: [{ index: 0, text: 'ab', logprobs: { tokens: ['a', 'b'] }, finish_reason: 'stop' }],
    })
  })

  it('is the error of the engine, under its status, when there is one in the middle', () => {
    const error = (code: unknown) => ({ error: { code, message: 'no', type: 'server_error' } })
    const started = choiceEvent(0, { content: 'a' })
    expect(whole(started + event(error(503))).answer).toEqual({ status: 503, body: error(503) })
    expect(whole(started + event(error('x'))).answer).toEqual({ status: 500, body: error('x') })
  })

  it('is none when its stream broke off', () => {
    expect(whole(choiceEvent(0, { content: 'a' })).answer).toBeUndefined()
    expect(whole('').answer).toBeUndefined()
  })
})

describe('a stream whose client asked for no usage', () => {
  const first = choiceEvent(0, { role: 'assistant', content: '' })
  const token = choiceEvent(0, { content: 'about "usage": {"prompt_tokens":1}, "choices":[]' })
  const last = choiceEvent(0, {}, 'stop')

  it('is without the chunk that tells it, byte for byte, wherever it is cut', () => {
    fc.assert(
      fc.property(places, fc.constantFrom('\n', '\r\n'), (cuts, end) => {
        const chunk = event({ ...HEAD, choices: [], usage: USAGE }, end)
        const rest = `${first}: ping\n\n${token}${last}`
        const seen = filtered(`${rest}${chunk}${DONE}`, cuts)
        expect(seen.text).toBe(`${rest}${DONE}`)
        expect(seen.usage).toEqual({ tokensIn: 3, tokensOut: 5 })
      }),
    )
  })

  it('keeps in its last chunk what came with the usage', () => {
    const timings = { predicted_n: 2 }
    const finished = JSON.parse(last.slice(5)) as object
    expect(filtered(first + last + usageEvent({ timings }) + DONE).text).toBe(
      `${first}${event({ ...finished, timings })}${DONE}`,
    )
  })

  it('keeps usage that its chunks tell beside their tokens, and a stream that broke off', () => {
    const chunk = { ...HEAD, choices: [{ index: 0, delta: { content: 'a' } }], usage: USAGE }
    const text = `${first}${event(chunk)}${last}data: {"cho`
    expect(filtered(text).text).toBe(text)
  })

  it('gives each token at once', () => {
    const filter = createUsageFilter()
    expect(Buffer.concat(filter.push(Buffer.from(token))).toString()).toBe(token)
  })
})
