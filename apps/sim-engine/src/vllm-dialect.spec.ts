import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chatPrompt, expectedText } from '@berth/sim-text'
import { ask, chat, eventsOf, stateOf } from './testing/ask.ts'
import { startSim, stopAllSims } from './testing/sim-process.ts'

const textFor = (content: string, maxTokens?: number) =>
  expectedText({ engineSeed: 7, prompt: chatPrompt([{ role: 'user', content }]), maxTokens })

describe('the vLLM dialect', () => {
  let port = 0
  beforeAll(async () => {
    const sim = startSim('--dialect', 'vllm', '--model', 'm1', '--seed', '7', '--ctx', '500')
    port = await sim.listening()
  })
  afterAll(stopAllSims)

  it('answers a chat with the text that the seed, the prompt and max_tokens decide', async () => {
    const { status, json } = await ask(
      port,
      '/v1/chat/completions',
      chat('hello', { max_tokens: 5 }),
    )
    expect(status).toBe(200)
    expect(json).toMatchObject({
      object: 'chat.completion',
      model: 'm1',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: textFor('hello', 5) },
          finish_reason: 'length',
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    })
  })

  it('streams the same text, token by token, and ends with [DONE]', async () => {
    const body = chat('hello there', { stream: true })
    const { headers, text } = await ask(port, '/v1/chat/completions', body)
    const events = eventsOf(text)
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: '' })
    const contents = events.slice(1, -2).map((event) => event.choices[0].delta.content)
    expect(contents.join('')).toBe(textFor('hello there'))
    expect(contents.length).toBeGreaterThanOrEqual(20)
    expect(events.at(-2).choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(events.at(-1)).toBe('[DONE]')
  })

  it('sends a usage chunk only when stream_options ask for it', async () => {
    const plain = await ask(
      port,
      '/v1/chat/completions',
      chat('a b', { stream: true, max_tokens: 2 }),
    )
    expect(plain.text).not.toContain('"usage"')
    const options = { stream: true, max_tokens: 2, stream_options: { include_usage: true } }
    const withUsage = await ask(port, '/v1/chat/completions', chat('a b', options))
    expect(eventsOf(withUsage.text).at(-2)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 },
    })
  })

  it('answers completions for a prompt text', async () => {
    const body = { model: 'm1', prompt: 'once upon', max_tokens: 4, seed: 3 }
    const { json } = await ask(port, '/v1/completions', body)
    const expected = { engineSeed: 7, requestSeed: 3, prompt: 'once upon', maxTokens: 4 }
    expect(json.object).toBe('text_completion')
    expect(json.choices[0].text).toBe(expectedText(expected))
    const streamed = await ask(port, '/v1/completions', { ...body, stream: true })
    const texts = eventsOf(streamed.text).slice(0, -1)
    expect(texts.map((event) => event.choices[0].text).join('')).toBe(expectedText(expected))
  })

  it('embeds texts, the same text to the same vector', async () => {
    const { json } = await ask(port, '/v1/embeddings', { model: 'm1', input: ['a', 'b', 'a'] })
    expect(json.data.map((item: { index: number }) => item.index)).toEqual([0, 1, 2])
    expect(json.data[0].embedding).toEqual(json.data[2].embedding)
    expect(json.data[0].embedding).not.toEqual(json.data[1].embedding)
    expect(json.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 })
  })

  it('lists the served name on /v1/models and answers /health without a body', async () => {
    expect((await ask(port, '/v1/models')).json.data[0]).toMatchObject({
      id: 'm1',
      owned_by: 'vllm',
      max_model_len: 500,
    })
    expect(await ask(port, '/health')).toMatchObject({ status: 200, text: '' })
  })

  it.each([
    ['an unknown model', { model: 'other', messages: [] }, 404, 'NotFoundError'],
    ['a body without messages', { model: 'm1' }, 400, 'BadRequestError'],
    ['max_tokens below 1', chat('x', { max_tokens: 0 }), 400, 'BadRequestError'],
    ['more tokens than the context holds', chat('x', { max_tokens: 500 }), 400, 'BadRequestError'],
    ['malformed JSON', '{"model":', 400, 'BadRequestError'],
  ])('refuses %s in vLLM words', async (_what, body, status, type) => {
    const reply = await ask(port, '/v1/chat/completions', body)
    expect(reply.status).toBe(status)
    expect(reply.json.error).toMatchObject({ type, code: status })
  })

  it('answers an unknown route as FastAPI does', async () => {
    expect(await ask(port, '/nope')).toMatchObject({ status: 404, json: { detail: 'Not Found' } })
  })

  it('counts tokens under the names of the V1 engine', async () => {
    const before = (await stateOf(port)).counters.tokens_sent as number
    await ask(port, '/v1/chat/completions', chat('count', { max_tokens: 3 }))
    const { text } = await ask(port, '/metrics')
    expect(text).toContain(
      `vllm:generation_tokens_total{engine="0",model_name="m1"} ${(before + 3).toFixed(1)}\n`,
    )
    expect(text).toContain('vllm:num_requests_running{engine="0",model_name="m1"} 0.0\n')
  })

  it('keeps a connection open for the next request after a stream', async () => {
    const { headers } = await ask(
      port,
      '/v1/chat/completions',
      chat('x', { stream: true, max_tokens: 1 }),
      { headers: { connection: 'keep-alive' } },
    )
    expect(headers.connection).toBe('keep-alive')
  })
})

describe('a vLLM with a key', () => {
  afterAll(stopAllSims)

  it('asks for it on /v1 and nowhere else, and never shows it', async () => {
    const sim = startSim('--dialect', 'vllm', '--model', 'm1', '--api-key', 'sesame')
    const port = await sim.listening()
    expect(await ask(port, '/v1/models')).toMatchObject({
      status: 401,
      json: { error: 'Unauthorized' },
    })
    const headers = { authorization: 'Bearer sesame' }
    expect((await ask(port, '/v1/models', undefined, { headers })).status).toBe(200)
    expect((await ask(port, '/metrics')).status).toBe(200)
    expect((await ask(port, '/__sim/state')).text).not.toContain('sesame')
  })
})
