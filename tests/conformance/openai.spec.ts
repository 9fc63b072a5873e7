import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import OpenAI from 'openai'
import { embeddedPool, simPool, startFleet, until, type Fleet } from '@berth/test-support'

const SIM = { model: 'sim-model', pool: 'sim' }
const EMBEDDED = { model: 'berth-tiny', pool: 'local' }

let fleet: Fleet
let client: OpenAI
beforeAll(async () => {
  const sim = await simPool(SIM.pool, { knobs: { tokens_per_s: 200 } })
  const pools = [sim, embeddedPool(EMBEDDED.pool)]
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }] })
  client = new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: 'unused', maxRetries: 0 })
}, 120_000)
afterAll(async () => fleet[Symbol.asyncDispose]())

const hello = (model: string, maxTokens = 8) => ({
  model,
  max_tokens: maxTokens,
  // Without a seed a model may end its answer early: three of a hundred here.
  seed: 7,
  messages: [{ role: 'user' as const, content: 'Hello' }],
})

describe.each([SIM, EMBEDDED])('the OpenAI SDK against $model', ({ model, pool }) => {
  it('completes a chat', async () => {
    const { data, response } = await client.chat.completions.create(hello(model)).withResponse()
    expect(data.choices[0]?.message.content).not.toBe('')
    expect(data.usage?.completion_tokens).toBe(8)
    expect(response.headers.get('x-berth-pool')).toBe(pool)
  })

  it('streams a chat that ends', async () => {
    const stream = await client.chat.completions.create({ ...hello(model), stream: true })
    const chunks = await collect(stream)
    expect(chunks.length).toBeGreaterThan(2)
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).not.toBe('')
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('length')
  })

  it('streams with usage when asked to', async () => {
    const stream = await client.chat.completions.create({
      ...hello(model),
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await collect(stream)
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(8)
  })

  it('completes a prompt', async () => {
    const answer = await client.completions.create({ model, prompt: 'Once', max_tokens: 4 })
    expect(answer.choices[0]?.text).not.toBe('')
  })

  it('embeds texts', async () => {
    const answer = await client.embeddings.create({ model, input: ['one', 'two'] })
    expect(answer.data).toHaveLength(2)
    expect(answer.data[0]?.embedding.length).toBeGreaterThan(0)
  })

  it('finds the model in the list and by its id', async () => {
    const listed = await collect(client.models.list())
    expect(listed.map(({ id }) => id)).toContain(model)
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' })
  })
})

describe('the OpenAI SDK', () => {
  it('aborts a stream, and the engine stops', async () => {
    const { aborted = 0 } = (await fleet.sim(SIM.pool).state()).counters
    const stream = await client.chat.completions.create({
      ...hello(SIM.model, 4_000),
      stream: true,
    })
    for await (const _chunk of stream) stream.controller.abort()
    await until('the engine counts an abort', async () => {
      const { counters } = await fleet.sim(SIM.pool).state()
      return counters['aborted'] === aborted + 1 && counters['running'] === 0
    })
  })

  it('reads an unknown model as NotFoundError', async () => {
    const headers = { 'X-Max-Wait-Ms': '0' }
    const ask = () =>
      client.chat.completions.create(hello('no-such-model'), { headers }).catch(errorOf)
    // A leader that is seconds old waits for hosts before it says that nobody has a model.
    await until('core knows its fleet', async () => (await ask()) instanceof OpenAI.NotFoundError)
    expect(await ask()).toMatchObject({
      status: 404,
      code: 'MODEL_NOT_FOUND',
      param: 'model',
      message: expect.stringContaining(SIM.model) as unknown,
    })
    await expect(client.models.retrieve('no/such')).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })

  it('reads bad parameters as BadRequestError', async () => {
    const bad = client.chat.completions.create({ ...hello(''), stream: false })
    await expect(bad).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(bad).rejects.toMatchObject({ code: 'INVALID_PARAMS', param: 'model' })
  })

  it("reads the engine's own refusal as BadRequestError", async () => {
    const sim = fleet.sim(SIM.pool)
    await sim.turn({ error_status: 400 })
    const error = await client.chat.completions.create(hello(SIM.model)).catch(errorOf)
    await sim.turn({ error_status: 0 })
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect((error as InstanceType<typeof OpenAI.APIError>).headers?.get('x-berth-pool')).toBe(
      SIM.pool,
    )
  })

  it('reads an engine that fails in the middle of a stream as an APIError', async () => {
    const sim = fleet.sim(SIM.pool)
    await sim.turn({ drop_mid_stream_after: 3 })
    const stream = await client.chat.completions.create({ ...hello(SIM.model), stream: true })
    const broken = await collect(stream).catch(errorOf)
    await sim.turn({ drop_mid_stream_after: 0 })
    expect(broken).toBeInstanceOf(OpenAI.APIError)
    expect(broken).toMatchObject({ code: 'WORKER_RESET' })
  })

  it('keeps a correlation id and sees one on errors', async () => {
    const headers = { 'X-Correlation-Id': 'conformance.1' }
    const { response } = await client.models.list({ headers }).withResponse()
    expect(response.headers.get('x-correlation-id')).toBe('conformance.1')
    const error = await client.chat.completions.create(hello(''), { headers }).catch(errorOf)
    expect((error as InstanceType<typeof OpenAI.APIError>).headers?.get('x-correlation-id')).toBe(
      'conformance.1',
    )
  })
})

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

const errorOf = (error: unknown) => error
