import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chatPrompt, expectedText } from '@berth/sim-text'
import {
  ask,
  chat,
  eventsOf,
  open,
  readUntilCut,
  stateOf,
  turn,
  type Parsed,
} from './testing/ask.ts'
import { eventually } from './testing/eventually.ts'
import { startSim, stopAllSims } from './testing/sim-process.ts'

const linesOf = (text: string): Parsed[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

const textFor = (prompt: string, maxTokens?: number) =>
  expectedText({ engineSeed: 7, prompt, maxTokens })

describe('the Ollama dialect', () => {
  let port = 0
  beforeAll(async () => {
    const sim = startSim('--dialect', 'ollama', '--models', 'm1,m2', '--seed', '7', '--slots', '1')
    port = await sim.listening()
  })
  afterAll(stopAllSims)

  const residents = async (): Promise<string[]> =>
    (await ask(port, '/api/ps')).json.models.map((model: { name: string }) => model.name)

  it('has models on disk that are not in memory', async () => {
    const { json } = await ask(port, '/api/tags')
    expect(json.models.map((model: { name: string }) => model.name)).toEqual([
      'm1:latest',
      'm2:latest',
    ])
    expect(await residents()).toEqual([])
  })

  it('loads by a request without a prompt and unloads by keep_alive 0', async () => {
    const loaded = await ask(port, '/api/generate', { model: 'm2', keep_alive: -1 })
    expect(loaded.json).toMatchObject({ response: '', done: true, done_reason: 'load' })
    expect((await ask(port, '/api/ps')).json.models[0]).toMatchObject({
      name: 'm2:latest',
      size: 1024 ** 3,
      size_vram: 1024 ** 3,
      expires_at: '2318-01-01T00:00:00.000Z',
    })
    const unloaded = await ask(port, '/api/generate', { model: 'm2', keep_alive: 0 })
    expect(unloaded.json).toMatchObject({ done: true, done_reason: 'unload' })
    expect(await residents()).toEqual([])
  })

  it('unloads a model that is in use only when its last request ends', async () => {
    await turn(port, { hang: true })
    const busy = ask(port, '/api/generate', { model: 'm1', prompt: 'x', stream: false })
    await eventually('running', async () => (await stateOf(port)).counters.running === 1)
    await ask(port, '/api/generate', { model: 'm1', keep_alive: 0 })
    expect(await residents()).toEqual(['m1:latest'])
    await turn(port, { hang: false })
    expect((await busy).status).toBe(200)
    await eventually('unloaded', async () => (await residents()).length === 0)
  })

  it('generates in NDJSON, streaming unless told not to', async () => {
    const body = { model: 'm1', prompt: 'tell', options: { num_predict: 6 } }
    const streamed = await ask(port, '/api/generate', body)
    const frames = linesOf(streamed.text)
    expect(streamed.headers['content-type']).toBe('application/x-ndjson')
    expect(frames.map((frame) => frame.response).join('')).toBe(textFor('tell', 6))
    expect(frames.map((frame) => frame.done)).toEqual([...Array(6).fill(false), true])
    expect(frames.at(-1)).toMatchObject({ done_reason: 'length', eval_count: 6 })
    const whole = await ask(port, '/api/generate', { ...body, stream: false })
    expect(whole.json).toMatchObject({ response: textFor('tell', 6), done: true })
  })

  it('chats natively and in the OpenAI dialect with the same text', async () => {
    const { messages } = chat('hello')
    const expected = textFor(chatPrompt(messages))
    const native = await ask(port, '/api/chat', { model: 'm1', messages, stream: false })
    expect(native.json.message).toEqual({ role: 'assistant', content: expected })
    const openAi = await ask(port, '/v1/chat/completions', chat('hello', { stream: true }))
    const events = eventsOf(openAi.text).slice(0, -1)
    expect(events.map((event) => event.choices[0].delta.content ?? '').join('')).toBe(expected)
    expect(events[0].system_fingerprint).toBe('fp_ollama')
  })

  it('pulls in frames up to success, and then has the model on disk', async () => {
    const { text } = await ask(port, '/api/pull', { model: 'm3' })
    const frames = linesOf(text)
    const sizes = frames.flatMap((frame) =>
      frame.completed === undefined ? [] : [frame.completed],
    )
    expect(frames[0]).toEqual({ status: 'pulling manifest' })
    expect(frames.at(-1)).toEqual({ status: 'success' })
    expect(sizes.at(-1)).toBe(1024 ** 3)
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    const { json } = await ask(port, '/api/tags')
    expect(json.models.map((model: { name: string }) => model.name)).toContain('m3:latest')
    expect((await ask(port, '/api/delete', { model: 'm3' }, { method: 'DELETE' })).status).toBe(200)
  })

  it('has nothing of a pull that its client left', async () => {
    await turn(port, { pull_ms: 3_600_000 })
    const pulling = await open(port, '/api/pull', { model: 'm4' })
    pulling.destroy()
    await turn(port, { pull_ms: 0 })
    const { json } = await ask(port, '/api/tags')
    expect(json.models.map((model: { name: string }) => model.name)).not.toContain('m4:latest')
  })

  it('answers that it runs, its version, and 404 where vLLM has metrics', async () => {
    expect((await ask(port, '/')).text).toBe('Ollama is running')
    expect((await ask(port, '/api/version')).json).toEqual({ version: '0.13.5' })
    expect(await ask(port, '/metrics')).toMatchObject({ status: 404, text: '404 page not found' })
  })

  it('refuses an unknown model in the words of each API', async () => {
    const native = await ask(port, '/api/generate', { model: 'no', prompt: 'x' })
    expect(native).toMatchObject({ status: 404, json: { error: "model 'no' not found" } })
    const openAi = await ask(port, '/v1/chat/completions', chat('x', { model: 'no' }))
    expect(openAi.status).toBe(404)
    expect(openAi.json.error).toEqual({
      message: "model 'no' not found",
      type: 'not_found_error',
      param: null,
      code: null,
    })
  })

  it('answers 503 when more requests wait than its queue holds', async () => {
    await turn(port, { hang: true, max_queue: 1 })
    const started = ['a', 'b'].map((content) => ask(port, '/v1/chat/completions', chat(content)))
    await eventually('one waits', async () => (await stateOf(port)).counters.waiting === 1)
    const refused = await ask(port, '/api/generate', { model: 'm1', prompt: 'c' })
    expect(refused.status).toBe(503)
    expect(refused.json.error).toContain('maximum pending requests exceeded')
    await turn(port, { hang: false, max_queue: 512 })
    expect((await Promise.all(started)).map((reply) => reply.status)).toEqual([200, 200])
  })

  it('stays up when a model does not fit, and says so to who asked for it', async () => {
    await ask(port, '/api/generate', { model: 'm1', keep_alive: 0 })
    await turn(port, { oom: true })
    const reply = await ask(port, '/v1/chat/completions', chat('x'))
    expect(reply.status).toBe(500)
    expect(reply.json.error.message).toContain('out of memory')
    await turn(port, { oom: false })
    expect((await ask(port, '/v1/chat/completions', chat('x'))).status).toBe(200)
  })

  it('evicts the model used longest ago when max_loaded_models is reached', async () => {
    await turn(port, { max_loaded_models: 1 })
    await ask(port, '/api/generate', { model: 'm1' })
    await ask(port, '/api/generate', { model: 'm2' })
    expect(await residents()).toEqual(['m2:latest'])
    await turn(port, { max_loaded_models: 0 })
  })

  it('keeps how long a model stays over requests that do not say', async () => {
    await ask(port, '/api/generate', { model: 'm1', keep_alive: -1 })
    await ask(port, '/v1/chat/completions', chat('x'))
    const { models } = (await ask(port, '/api/ps')).json
    const m1 = models.find((model: { name: string }) => model.name === 'm1:latest')
    expect(m1.expires_at).toBe('2318-01-01T00:00:00.000Z')
  })

  it('lists a model with a part on the CPU as larger than what it has on the GPU', async () => {
    await turn(port, { cpu_bytes: 5 })
    await ask(port, '/api/generate', { model: 'm1' })
    const [model] = (await ask(port, '/api/ps')).json.models
    expect(model.size - model.size_vram).toBe(5)
    await turn(port, { cpu_bytes: 0 })
  })

  it('goes on with a pull where it was cut', async () => {
    await turn(port, { pull_cut_percent: 50 })
    const cut = await readUntilCut(await open(port, '/api/pull', { model: 'm5' }))
    expect(cut.wasCut).toBe(true)
    expect(linesOf(cut.text).at(-1).completed).toBe(1024 ** 3 / 2)
    const frames = linesOf((await ask(port, '/api/pull', { model: 'm5' })).text)
    const first = frames.find((frame) => frame.completed !== undefined)
    expect(first.completed).toBeGreaterThan(1024 ** 3 / 2)
    expect(frames.at(-1)).toEqual({ status: 'success' })
    await turn(port, { pull_cut_percent: 0 })
  })

  it.each([
    [{ pull_error: 'no such host' }, 'no such host'],
    [{ absent_models: ['m6'] }, 'pull model manifest: file does not exist'],
  ])('ends a pull in an error after its 200: %j', async (knobs, error) => {
    await turn(port, knobs)
    const { status, text } = await ask(port, '/api/pull', { model: 'm6' })
    expect([status, linesOf(text).at(-1)]).toEqual([200, { error }])
    const { json } = await ask(port, '/api/tags')
    expect(json.models.map((model: { name: string }) => model.name)).not.toContain('m6:latest')
    await turn(port, { pull_error: '', absent_models: [] })
  })

  it('gives up a load that nobody waits for any more, and lists it until then', async () => {
    await ask(port, '/api/generate', { model: 'm2', keep_alive: 0 })
    await turn(port, { never_ready: true })
    const asking = request({ host: '127.0.0.1', port, path: '/api/generate', method: 'POST' })
    asking.on('error', () => undefined)
    asking.end(JSON.stringify({ model: 'm2' }))
    await eventually('it loads', async () => (await residents()).includes('m2:latest'))
    asking.destroy()
    await eventually('it is given up', async () => !(await residents()).includes('m2:latest'))
    await turn(port, { never_ready: false })
  })
})
