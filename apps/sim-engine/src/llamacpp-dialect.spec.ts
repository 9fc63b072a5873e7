import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chatPrompt, expectedText } from '@berth/sim-text'
import { ask, chat, eventsOf, open, read, stateOf, turn, type Parsed } from './testing/ask.ts'
import { eventually } from './testing/eventually.ts'
import { startSim, stopAllSims } from './testing/sim-process.ts'

const textFor = (content: string, maxTokens?: number) =>
  expectedText({ engineSeed: 7, prompt: chatPrompt([{ role: 'user', content }]), maxTokens })

describe('the llama.cpp dialect', () => {
  let port = 0
  beforeAll(async () => {
    const flags = ['--model', 'm1', '--seed', '7', '--slots', '2', '--ctx', '300']
    const sim = startSim('--dialect', 'llamacpp', ...flags)
    port = await sim.listening()
    await eventually('ready', async () => (await ask(port, '/health')).status === 200)
  })
  afterAll(stopAllSims)

  it('answers a chat under any model name, with timings', async () => {
    const body = chat('hello', { model: 'whatever', max_tokens: 5 })
    const { json } = await ask(port, '/v1/chat/completions', body)
    expect(json.model).toBe('m1')
    expect(json.choices[0].message.content).toBe(textFor('hello', 5))
    expect(json.timings).toMatchObject({ prompt_n: 3, predicted_n: 5 })
  })

  it('streams with a null first content, and timings in the last chunk', async () => {
    const { text } = await ask(port, '/v1/chat/completions', chat('hi', { stream: true }))
    const events = eventsOf(text)
    expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: null })
    const contents = events.slice(1, -2).map((event) => event.choices[0].delta.content)
    expect(contents.join('')).toBe(textFor('hi'))
    expect(events.at(-2).timings.predicted_n).toBe(contents.length)
    expect(events.at(-1)).toBe('[DONE]')
  })

  it('closes the socket after a stream without saying so', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const outgoing = request({
      port,
      host: '127.0.0.1',
      path: '/v1/chat/completions',
      method: 'POST',
      agent,
    })
    outgoing.end(JSON.stringify(chat('x', { stream: true, max_tokens: 1 })))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const closed = once(response.socket, 'close')
    expect(response.headers.connection).toBe('keep-alive')
    expect(await read(response)).toContain('[DONE]')
    await closed
    agent.destroy()
  })

  it('shows what each slot does on /slots, and refuses when asked to and none is free', async () => {
    await turn(port, { tokens_per_s: 20 })
    const streams = await Promise.all(
      ['a', 'b'].map((content) =>
        open(port, '/v1/chat/completions', chat(content, { stream: true })),
      ),
    )
    const { json } = await ask(port, '/slots')
    expect(json.map((slot: { is_processing: boolean }) => slot.is_processing)).toEqual([true, true])
    expect(json[0].next_token[0].n_decoded).toBeGreaterThan(0)
    expect((await ask(port, '/slots?fail_on_no_slot=1')).status).toBe(503)
    for (const stream of streams) stream.destroy()
    await turn(port, { tokens_per_s: 0 })
    await eventually('both slots idle', async () =>
      (await ask(port, '/slots')).json.every((slot: Parsed) => slot.is_processing === false),
    )
  })

  it('tells its slots and alias on /props and /v1/models', async () => {
    expect((await ask(port, '/props')).json).toMatchObject({ total_slots: 2, model_alias: 'm1' })
    expect((await ask(port, '/v1/models')).json.data[0]).toMatchObject({
      id: 'm1',
      owned_by: 'llamacpp',
    })
  })

  it.each([
    ['malformed JSON', '{"messages":', 500, 'server_error'],
    ['a body without messages', {}, 400, 'invalid_request_error'],
    ['a prompt beyond the context', chat('w '.repeat(300)), 400, 'exceed_context_size_error'],
  ])('refuses %s in llama.cpp words', async (_what, body, status, type) => {
    const reply = await ask(port, '/v1/chat/completions', body)
    expect(reply.status).toBe(status)
    expect(reply.json.error).toMatchObject({ type, code: status })
  })

  it('has no embeddings unless started with --embeddings', async () => {
    const reply = await ask(port, '/v1/embeddings', { input: 'a' })
    expect(reply.status).toBe(501)
    expect(reply.json.error.type).toBe('not_supported_error')
  })

  it('answers 501 on /metrics when that is off', async () => {
    await turn(port, { metrics: false })
    expect((await ask(port, '/metrics')).status).toBe(501)
    await turn(port, { metrics: true })
    expect((await ask(port, '/metrics')).text).toContain('llamacpp:requests_deferred 0\n')
  })
})

describe('a llama.cpp whose client leaves', () => {
  let port = 0
  beforeAll(async () => {
    const sim = startSim('--dialect', 'llamacpp', '--model', 'm1', '--slots', '2', '--hang')
    port = await sim.listening()
    await eventually('ready', async () => (await ask(port, '/health')).status === 200)
    await turn(port, { cancel_poll_ms: 3_600_000 })
  })
  afterAll(stopAllSims)

  it('frees the slot of a stream at once', async () => {
    await turn(port, { hang: false, tokens_per_s: 20 })
    const stream = await open(port, '/v1/chat/completions', chat('x', { stream: true }))
    stream.destroy()
    const aborted = await eventually('aborted', async () => {
      const state = await stateOf(port)
      return state.counters.running === 0 && state.requests.at(-1)
    })
    expect(aborted.outcome).toBe('aborted')
  })

  it('goes on with a request that is not streamed until its poll sees the loss', async () => {
    await turn(port, { hang: true })
    const outgoing = request({
      port,
      host: '127.0.0.1',
      path: '/v1/chat/completions',
      method: 'POST',
    })
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(chat('x')))
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    outgoing.destroy()
    await ask(port, '/health')
    expect((await stateOf(port)).counters.running).toBe(1)
    await turn(port, { cancel_poll_ms: 1 })
    // The wait in progress was an hour long: only a new loss makes it look again.
    const second = request({
      port,
      host: '127.0.0.1',
      path: '/v1/chat/completions',
      method: 'POST',
    })
    second.on('error', () => undefined)
    second.end(JSON.stringify(chat('y')))
    await eventually('both running', async () => (await stateOf(port)).counters.running === 2)
    second.destroy()
    await eventually('both gone', async () => (await stateOf(port)).counters.running === 0)
  })
})
