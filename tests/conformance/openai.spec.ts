import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import OpenAI from 'openai'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'

const SIM = { model: 'sim-model', pool: 'sim' }

let fleet: Fleet
let client: OpenAI
beforeAll(async () => {
  const sim = await simPool(SIM.pool, { knobs: { tokens_per_s: 200 } })
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [sim] }] })
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
