import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { prepareModels, readEvents, startEngine, waitFor } from './testing/engine-process.ts'
import type { EngineProcess, Usage } from './testing/engine-process.ts'

interface Whole {
  readonly choices: readonly {
    readonly message: { readonly role: string; readonly content: string }
    readonly text: string
    readonly finish_reason: string
  }[]
  readonly usage: Usage
}
interface SlotBody {
  readonly is_processing: boolean
}

const CHAT = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'tell me about the sea' }]
const endless = { messages, ignore_eos: true, max_tokens: 30_000 }

// The machine may be busy; nothing here depends on how fast the engine is.
jest.setTimeout(60_000)

let models: Awaited<ReturnType<typeof prepareModels>>
let engine: EngineProcess

beforeAll(async () => {
  models = await prepareModels()
  const model = await models.make('tiny.gguf')
  const flags = ['--slots', '2', '--ctx', '32768', '--max-queued', '1', '--alias', 'sea']
  engine = await startEngine(['--model', model, '--embeddings', ...flags])
}, 360_000)

afterAll(async () => {
  await engine.stop()
  await models.dispose()
})

const json = async <T>(response: Response): Promise<T> => (await response.json()) as T
const complete = async (body: object): Promise<Whole> => json(await engine.post(CHAT, body))
const textOf = async (body: object): Promise<string> =>
  (await complete(body)).choices[0]!.message.content
const busyFlags = async (): Promise<boolean[]> =>
  (await json<SlotBody[]>(await engine.get('/slots'))).map((slot) => slot.is_processing)
const waitForBusy = (count: number): Promise<boolean[]> =>
  waitFor(busyFlags, (flags) => flags.filter(Boolean).length === count)

/** Starts a request that runs until it is cut. */
const startEndless = (isStream: boolean) => {
  const cut = new AbortController()
  const body = { ...endless, stream: isStream }
  const outcome = engine.post(CHAT, body, { signal: cut.signal }).then(
    (response) => response.status,
    (error: unknown) => (error as Error).name,
  )
  return { cut: () => cut.abort(), outcome }
}

describe('a chat completion', () => {
  it('answers in words, with a finish reason and usage', async () => {
    const { choices, usage } = await complete({ messages, max_tokens: 12, ignore_eos: true })
    expect(choices[0]).toMatchObject({ finish_reason: 'length', message: { role: 'assistant' } })
    expect(choices[0]!.message.content).toMatch(/^( [a-z]+|[.,?!])+$/)
    expect(usage.completion_tokens).toBe(12)
    expect(usage.total_tokens).toBe(usage.prompt_tokens + 12)
  })

  it('streams the same text, then the finish reason, the usage and [DONE]', async () => {
    const body = { messages, seed: 7, max_tokens: 40 }
    const whole = await complete(body)
    const streamed = { ...body, stream: true, stream_options: { include_usage: true } }
    const { chunks, isDone } = await readEvents(await engine.post(CHAT, streamed))
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta))
    expect(deltas[0]).toEqual({ role: 'assistant', content: null })
    expect(deltas.map(({ content }) => content ?? '').join('')).toBe(
      whole.choices[0]!.message.content,
    )
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe(whole.choices[0]!.finish_reason)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage })
    expect(isDone).toBe(true)
  })

  it('sends no usage chunk unless asked', async () => {
    const response = await engine.post(CHAT, { messages, max_tokens: 3, stream: true })
    const { chunks } = await readEvents(response)
    expect(chunks.filter(({ usage }) => usage !== undefined)).toEqual([])
  })

  it('ends by itself with the reason "stop"', async () => {
    const { choices } = await complete({ messages, seed: 3, max_tokens: 20_000 })
    expect(choices[0]!.finish_reason).toBe('stop')
  })

  it('cuts the answer before a stop text, also across tokens', async () => {
    const body = { messages, seed: 11, max_tokens: 30, ignore_eos: true }
    const full = await textOf(body)
    const stop = full.slice(20, 31)
    const cut = await complete({ ...body, stop: [stop] })
    expect(cut.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: full.slice(0, full.indexOf(stop)) },
    })
  })

  it('gives the same bytes for the same seed, for 8 seeds, and other bytes for others', async () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
    const run = (seed: number) => textOf({ messages, seed, max_tokens: 60, ignore_eos: true })
    const first = await Promise.all([1, 2].map(run))
    const again: string[] = []
    for (const seed of seeds) again.push(await run(seed))
    const third: string[] = []
    for (const seed of seeds.toReversed()) third.unshift(await run(seed))
    expect(again.slice(0, 2)).toEqual(first)
    expect(third).toEqual(again)
    expect(new Set(again).size).toBe(seeds.length)
  })

  it('repeats itself at temperature 0, without a seed', async () => {
    const body = { messages, temperature: 0, max_tokens: 50, ignore_eos: true }
    expect(await textOf(body)).toBe(await textOf(body))
  })

  it('continues a text for /v1/completions', async () => {
    const body = { prompt: 'the sea is', max_tokens: 5, seed: 2, ignore_eos: true }
    const { choices } = await json<Whole>(await engine.post('/v1/completions', body))
    expect(choices[0]).toMatchObject({ finish_reason: 'length' })
    expect(choices[0]!.text).toMatch(/^( [a-z]+|[.,?!])+$/)
  })
})

describe('slots', () => {
  it('runs two requests at once and lets a third wait', async () => {
    const running = [startEndless(true), startEndless(true)]
    await waitForBusy(2)
    const waiting = textOf({ messages, max_tokens: 4, ignore_eos: true })
    await waitFor(
      async () => (await engine.get('/metrics')).text(),
      (metrics) => metrics.includes('llamacpp:requests_deferred 1'),
    )
    running[0]!.cut()
    expect(await waiting).not.toBe('')
    running[1]!.cut()
    await waitForBusy(0)
  })

  it('refuses with 503 what the queue cannot hold', async () => {
    const running = [startEndless(true), startEndless(true)]
    await waitForBusy(2)
    const waiting = startEndless(false)
    await waitFor(
      async () => (await engine.get('/metrics')).text(),
      (metrics) => metrics.includes('llamacpp:requests_deferred 1'),
    )
    const refused = await engine.post(CHAT, { messages })
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ error: { type: 'unavailable_error' } })
    waiting.cut()
    for (const request of running) request.cut()
    await waitForBusy(0)
  })

  it.each([
    ['streamed', true],
    ['whole', false],
  ])('frees the slot of a %s answer when its client leaves', async (_, isStream) => {
    const neighbour = startEndless(true)
    const leaving = startEndless(isStream)
    await waitForBusy(2)
    leaving.cut()
    await waitForBusy(1)
    neighbour.cut()
    await waitForBusy(0)
  })

  it('shows what a busy slot does', async () => {
    const request = startEndless(true)
    await waitForBusy(1)
    const slots = await json<SlotBody[]>(await engine.get('/slots'))
    expect(slots.find((slot) => slot.is_processing)).toMatchObject({
      n_ctx: 32_768,
      id_task: expect.any(Number),
      n_prompt_tokens: expect.any(Number),
      next_token: [{ n_decoded: expect.any(Number), n_remain: expect.any(Number) }],
    })
    request.cut()
    await waitForBusy(0)
  })
})

describe('what is wrong with a request', () => {
  it.each([
    ['a body that is not JSON', '{"messages": [', 'body is not JSON'],
    ['no messages', { max_tokens: 3 }, "'messages'"],
    [
      'a role that does not exist',
      { messages: [{ role: 'x', content: 'y' }] },
      "'messages.0.role'",
    ],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, "'messages"],
    ['a temperature below 0', { messages, temperature: -1 }, "'temperature'"],
    ['two choices', { messages, n: 2 }, "'n'"],
    ['tools', { messages, tools: [{}] }, "'tools'"],
  ])('answers 400 for %s', async (_, body, named) => {
    const response = await engine.post(CHAT, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: {
        code: 400,
        type: 'invalid_request_error',
        message: expect.stringContaining(named),
      },
    })
  })

  it('answers 400 with counts for a prompt beyond the context', async () => {
    const content = 'the sea '.repeat(20_000)
    const response = await engine.post(CHAT, { messages: [{ role: 'user', content }] })
    expect(response.status).toBe(400)
    const { error } = await json<{ error: Record<string, number> }>(response)
    expect(error).toMatchObject({ type: 'exceed_context_size_error', n_ctx: 32_768 })
    expect(error['n_prompt_tokens']).toBeGreaterThan(32_768)
  })

  it('ends with "length" where the context ends', async () => {
    const content = 'the sea '.repeat(16_300)
    const full = { messages: [{ role: 'user', content }], ignore_eos: true }
    const { choices, usage } = await complete(full)
    expect(choices[0]!.finish_reason).toBe('length')
    expect(usage.total_tokens).toBe(32_768)
  })

  it('answers 404 for a path it does not have', async () => {
    expect((await engine.get('/v1/nothing')).status).toBe(404)
  })
})

describe('embeddings', () => {
  interface Embeddings {
    readonly data: readonly { readonly embedding: number[] | string }[]
    readonly usage: Usage
  }
  const embed = async (body: object): Promise<Embeddings> =>
    json(await engine.post('/v1/embeddings', body))

  it('gives a vector of length 1 per input, the same for the same text', async () => {
    const { data, usage } = await embed({ input: ['the sea', 'a mountain', 'the sea'] })
    const vectors = data.map(({ embedding }) => embedding as number[])
    expect(vectors.map(({ length }) => length)).toEqual([64, 64, 64])
    expect(Math.hypot(...vectors[0]!)).toBeCloseTo(1, 5)
    expect(vectors[2]).toEqual(vectors[0])
    expect(vectors[1]).not.toEqual(vectors[0])
    expect(usage.prompt_tokens).toBeGreaterThan(0)
  })

  it('encodes vectors as base64 when asked', async () => {
    const plain = await embed({ input: 'the sea' })
    const { data } = await embed({ input: 'the sea', encoding_format: 'base64' })
    const bytes = Uint8Array.from(Buffer.from(data[0]!.embedding as string, 'base64'))
    expect(Array.from(new Float32Array(bytes.buffer))).toEqual(plain.data[0]!.embedding)
  })
})

describe('what the engine says of itself', () => {
  it('names its model', async () => {
    const body = await (await engine.get('/v1/models')).json()
    expect(body).toMatchObject({ data: [{ id: 'sea', meta: { n_ctx: 32_768, n_embd: 64 } }] })
  })

  it('shows slots, context and chat template in /props', async () => {
    const body = await (await engine.get('/props')).json()
    expect(body).toMatchObject({
      total_slots: 2,
      default_generation_settings: { n_ctx: 32_768 },
      chat_template: expect.stringContaining('<|im_start|>'),
      eos_token: '<|im_end|>',
    })
  })

  it('counts tokens in /metrics', async () => {
    const read = async (name: string): Promise<number> => {
      const text = await (await engine.get('/metrics')).text()
      return Number(new RegExp(`^llamacpp:${name} (.*)$`, 'm').exec(text)?.[1])
    }
    const before = await read('tokens_predicted_total')
    await complete({ messages, max_tokens: 9, ignore_eos: true })
    expect(await read('tokens_predicted_total')).toBe(before + 9)
  })
})
