import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import OpenAI from 'openai'
import { startFleet, until, type Fleet } from '@berth/test-support'
import { CONTEXT_TOKENS, engineCases, SLOTS } from './src/engines.ts'

/** Engines start in every test of these, on a machine that may be busy. */
jest.setTimeout(30_000)

type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk

for (const engine of engineCases()) {
  if (!engine.isThere) {
    describe.skip(`${engine.name} (skipped: ${engine.reason})`, () => {
      it('answers as every engine does', () => undefined)
    })
    continue
  }
  const { model, longPrompt } = engine

  describe(`${engine.name}, asked by the OpenAI SDK through gateway and ingress`, () => {
    let fleet: Fleet
    let client: OpenAI
    let poolId: string
    const stack = new AsyncDisposableStack()
    beforeAll(async () => {
      const pool = await engine.pool(stack)
      poolId = pool.entry.id
      fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [pool] }] })
      client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: 'unused', maxRetries: 0 })
    }, 120_000)
    afterAll(async () => {
      await fleet[Symbol.asyncDispose]()
      await stack.disposeAsync()
    })

    // Without a seed a model may end its answer early: three of a hundred here.
    const hello = (maxTokens = 8, seed = 7) => ({
      ...{ model, max_tokens: maxTokens, seed },
      messages: [{ role: 'user' as const, content: 'Hello' }],
    })
    const chat = async (body = hello()) => client.chat.completions.create(body)
    const streamed = async (body = hello(), usage = false): Promise<Chunk[]> => {
      const more = usage ? { stream_options: { include_usage: true } } : {}
      const stream = await client.chat.completions.create({ ...body, ...more, stream: true })
      return await collect(stream)
    }
    const textOf = (chunks: readonly Chunk[]) =>
      chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
    const slotsFree = async () =>
      (await fleet.get<{ slots_free: number }>(`/v1/pools/${poolId}`)).slots_free

    it('[003-PR-7] completes a chat, counts its tokens and says why it ended', async () => {
      const { data, response } = await client.chat.completions.create(hello()).withResponse()
      expect(data.choices[0]?.message.content).not.toBe('')
      expect(data.choices[0]?.finish_reason).toBe('length')
      expect(data.usage?.completion_tokens).toBe(8)
      expect(data.usage?.prompt_tokens).toBeGreaterThan(0)
      expect(response.headers.get('x-berth-pool')).toBe(poolId)
    })

    it('streams in parts what it answers whole', async () => {
      const chunks = await streamed()
      expect(chunks.length).toBeGreaterThan(2)
      expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('length')
      const whole = await chat()
      expect(textOf(chunks)).toBe(whole.choices[0]?.message.content)
    })

    it('streams with usage only when asked to', async () => {
      expect((await streamed(hello(), true)).at(-1)?.usage?.completion_tokens).toBe(8)
      expect((await streamed()).filter(({ usage }) => usage)).toEqual([])
    })

    it('completes a prompt, whole and streamed', async () => {
      const prompt = { model, prompt: 'Once', max_tokens: 4, seed: 7 }
      const whole = await client.completions.create(prompt)
      const parts = await collect(await client.completions.create({ ...prompt, stream: true }))
      const text = parts.map(({ choices }) => choices[0]?.text ?? '').join('')
      expect(whole.choices[0]?.text).not.toBe('')
      expect(text).toBe(whole.choices[0]?.text)
    })

    it('repeats itself with a seed, and not with another', async () => {
      const said = async (seed: number) =>
        (await chat(hello(16, seed))).choices[0]?.message.content ?? ''
      const first = await said(1)
      expect(await said(1)).toBe(first)
      expect(await said(2)).not.toBe(first)
    })

    it('ends before a text it is to stop at', async () => {
      const text = (await chat(hello(24))).choices[0]?.message.content ?? ''
      const stop = text.trim().split(/\s+/)[4]!
      const { choices } = await chat({ ...hello(24), stop: [stop] } as ReturnType<typeof hello>)
      expect(choices[0]?.finish_reason).toBe('stop')
      const said = choices[0]?.message.content ?? ''
      expect(said).not.toContain(stop)
      expect(text.startsWith(said)).toBe(true)
    })

    it('embeds texts, all of one length', async () => {
      const { data } = await client.embeddings.create({ model, input: ['one', 'two'] })
      expect(data).toHaveLength(2)
      const lengths = data.map(({ embedding }) => embedding.length)
      expect(lengths[0]).toBeGreaterThan(0)
      expect(lengths[1]).toBe(lengths[0])
    })

    it('is found in the list and by its id', async () => {
      const listed = await collect(client.models.list())
      expect(listed.map(({ id }) => id)).toContain(model)
      expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' })
    })

    it(`has a prompt ${longPrompt} that is longer than its context`, async () => {
      const content = 'word '.repeat(3 * CONTEXT_TOKENS)
      const body = { ...hello(), messages: [{ role: 'user' as const, content }] }
      const answer: unknown = await chat(body).catch((error: unknown) => error)
      const kind = answer instanceof OpenAI.BadRequestError ? 'refused' : 'cut'
      expect(kind).toBe(longPrompt)
      const message = answer instanceof OpenAI.BadRequestError ? answer.message : 'context'
      expect(message).toMatch(/context|tokens/)
    })

    it('frees the slot of each client that leaves, and answers the next at once', async () => {
      for (const stream of [true, false, true]) {
        const leaving = new AbortController()
        const body = { ...hello(900), ignore_eos: true, stream }
        const pending = fleet.chat(body, { signal: leaving.signal })
        await until('a slot is taken', async () => (await slotsFree()) < SLOTS)
        leaving.abort()
        await pending.then((answer) => answer.text()).catch(() => undefined)
        await until('all slots are free', async () => (await slotsFree()) === SLOTS)
      }
      const { choices } = await chat()
      expect(choices[0]?.finish_reason).toBe('length')
    })
  })
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
