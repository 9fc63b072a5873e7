import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { prepareModels, startEngine, waitFor } from './testing/engine-process.ts'
import type { EngineProcess } from './testing/engine-process.ts'

const CHAT = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'tell me about the sea' }]
const LOADING = { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } }

jest.setTimeout(60_000)

let models: Awaited<ReturnType<typeof prepareModels>>
let tiny: string
const started: EngineProcess[] = []
const start: typeof startEngine = async (flags, options) => {
  const engine = await startEngine(flags, options)
  started.push(engine)
  return engine
}

beforeAll(async () => {
  models = await prepareModels()
  tiny = await models.make('tiny.gguf')
}, 360_000)
afterEach(() => Promise.all(started.splice(0).map((engine) => engine.stop())))
afterAll(() => models.dispose())

describe('while the model loads', () => {
  it('answers every route with 503 "Loading model", keys or not, and then serves', async () => {
    const shape = { layers: 4, dim: 2048, heads: 16, kvHeads: 4, feedForward: 8192 }
    const large = await models.make('large.gguf', { ...shape, isSparse: true })
    const flags = ['--model', large, '--ctx', '256', '--api-key', 'k']
    const engine = await start(flags, { until: 'listening on' })
    const paths = ['/health', '/v1/models', '/props', '/slots', '/metrics', '/nothing']
    const answers = await Promise.all([
      ...paths.map((path) => engine.get(path)),
      engine.post(CHAT, { messages }),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503))
    for (const answer of answers) expect(await answer.json()).toEqual(LOADING)
    await waitFor(
      async () => (await engine.get('/health')).status,
      (status) => status === 200,
    )
  })
})

describe('a start that cannot work', () => {
  const failing = async (flags: readonly string[]) => {
    const engine = await start(flags)
    return { exit: await engine.exited, last: engine.lines.at(-1) }
  }

  it('exits 1 and names a model file that is missing', async () => {
    const path = join(models.dir, 'none.gguf')
    const { exit, last } = await failing(['--model', path])
    expect(exit.code).toBe(1)
    expect(last).toMatch(/^error: failed to open GGUF file '.*none\.gguf'/)
  })

  it('exits 1 for a file that is not a GGUF', async () => {
    const path = join(models.dir, 'garbage.gguf')
    await writeFile(path, 'this is no model '.repeat(1000))
    const { exit, last } = await failing(['--model', path])
    expect(exit.code).toBe(1)
    expect(last).toMatch(/^error: .*magic/i)
  })

  it('exits 1 for a file that was cut short, with what llama.cpp found', async () => {
    const path = join(models.dir, 'short.gguf')
    const whole = await readFile(tiny)
    await writeFile(path, whole.subarray(0, whole.length - 100_000))
    const { exit, last } = await failing(['--model', path])
    expect(exit.code).toBe(1)
    expect(last).toMatch(/^error: .*corrupted or incomplete/)
  })

  it('exits 1 for a flag that does not exist', async () => {
    const { exit, last } = await failing(['--model', tiny, '--nonsense'])
    expect(exit.code).toBe(1)
    expect(last).toMatch(/^error: .*--nonsense/)
  })

  it('exits 1 and names the port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { exit, last } = await failing(['--model', tiny, '--port', String(port)])
    other.close()
    expect(exit.code).toBe(1)
    expect(last).toContain(`port: ${port}`)
  })
})

describe('the API key', () => {
  it('is needed everywhere but on /health, by environment', async () => {
    const engine = await start(['--model', tiny], { env: { BERTH_ENGINE_API_KEY: 'secret' } })
    const status = async (path: string, key?: string) => {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
      return (await fetch(engine.url + path, { headers })).status
    }
    expect(await status('/health')).toBe(200)
    expect(await status('/v1/models')).toBe(401)
    expect(await status('/v1/models', 'wrong')).toBe(401)
    expect(await status('/v1/models', 'secret')).toBe(200)
  })
})

describe('SIGTERM', () => {
  const stream = { messages, stream: true, ignore_eos: true }

  it('ends an idle engine with 0', async () => {
    const engine = await start(['--model', tiny])
    engine.signal('SIGTERM')
    expect(await engine.exited).toEqual({ code: 0, signal: null })
  })

  it('breaks a stream in flight without [DONE] and exits 0', async () => {
    const engine = await start(['--model', tiny, '--ctx', '32768'])
    const response = await engine.post(CHAT, { ...stream, max_tokens: 30_000 })
    const reading = response.text().then(
      () => 'ended well',
      () => 'broken',
    )
    engine.signal('SIGTERM')
    expect(await reading).toBe('broken')
    expect(await engine.exited).toEqual({ code: 0, signal: null })
  })

  it('lets a stream finish within the grace, refusing new work, and exits 0', async () => {
    const flags = ['--model', tiny, '--shutdown-grace-ms', '30000']
    const engine = await start(flags)
    const response = await engine.post(CHAT, { ...stream, max_tokens: 1500 })
    engine.signal('SIGTERM')
    expect(await response.text()).toMatch(/\[DONE\]\n\n$/)
    expect(await engine.exited).toEqual({ code: 0, signal: null })
    await expect(engine.get('/health')).rejects.toThrow()
  })
})
