import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { embeddedPool, startFleet, until, type Fleet } from '@berth/test-support'

// A real engine on a machine that may be busy.
jest.setTimeout(120_000)

const MODEL = 'berth-tiny'
let fleet: Fleet
beforeAll(async () => {
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools: [embeddedPool('real')] }] })
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
})

const pool = () => fleet.get<{ pid: number; slots_free: number }>('/v1/pools/real')

/** Slots of the engine that work, by its own account. */
const working = async () => {
  const { pid } = await pool()
  const [argv, environment] = await Promise.all(
    ['cmdline', 'environ'].map(async (name) =>
      (await readFile(`/proc/${pid}/${name}`, 'utf8')).split('\0'),
    ),
  )
  const key = environment!.find((line) => line.startsWith('BERTH_ENGINE_API_KEY='))!.split('=')[1]
  const port = argv![argv!.indexOf('--port') + 1]
  const headers = { authorization: `Bearer ${key}` }
  const answer = await fetch(`http://127.0.0.1:${port}/slots`, { headers })
  const slots = (await answer.json()) as readonly { readonly is_processing: boolean }[]
  return slots.filter(({ is_processing: isBusy }) => isBusy).length
}

const REQUEST = { model: MODEL, max_tokens: 24, seed: 11, temperature: 0 }

it('a stream and a whole answer say the same, and only who asks is told the usage', async () => {
  const whole = (await (await fleet.chat(REQUEST)).json()) as {
    choices: readonly [{ message: { content: string } }]
    usage: { completion_tokens: number }
  }
  const stream = await (await fleet.chat({ ...REQUEST, stream: true })).text()
  const chunks = stream
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Chunk)
  const content = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
  expect(content).toBe(whole.choices[0].message.content)
  expect(whole.usage.completion_tokens).toBeGreaterThan(0)
  expect(chunks.every(({ choices, usage }) => choices.length === 1 && usage === undefined)).toBe(
    true,
  )
  expect(stream.endsWith('data: [DONE]\n\n')).toBe(true)
  const options = { stream: true, stream_options: { include_usage: true } }
  const asked = await (await fleet.chat({ ...REQUEST, ...options })).text()
  expect(asked).toContain('"completion_tokens"')
})

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
  readonly usage?: unknown
}

it.each([
  ['a whole answer', {}],
  ['a stream', { stream: true }],
])('a client that leaves %s frees a real engine', async (_what, more) => {
  const leaving = new AbortController()
  const pending = fleet
    .chat(
      { model: MODEL, max_tokens: 3_000, ignore_eos: true, ...more },
      { signal: leaving.signal },
    )
    .then((answer) => answer.text())
  const left = expect(pending).rejects.toThrow()
  await until('the engine works', async () => (await working()) === 1)
  leaving.abort()
  await left
  await until('the engine is free', async () => (await working()) === 0)
  await until('its slot is free', async () => (await pool()).slots_free === 2)
})
