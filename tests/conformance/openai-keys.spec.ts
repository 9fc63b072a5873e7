import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { addKey, type NewKey } from '@berth/keys'
import OpenAI from 'openai'
import { simPool, startFleet, type Fleet } from '@berth/test-support'

const OPS = 'ops-key'
const dir = mkdtempSync(join(tmpdir(), 'berth-keys-'))
const file = join(dir, 'keys.yaml')
const add = (key: string, entry: Omit<NewKey, 'tenant'>) =>
  addKey(file, key, { tenant: 'team', ...entry })

let fleet: Fleet
beforeAll(async () => {
  add('app-key', { id: 'app', scopes: ['inference'] })
  add('narrow-key', { id: 'narrow', scopes: ['inference'], models: ['other-model'] })
  add(OPS, { id: 'ops', scopes: ['operator'] })
  const pools = [await simPool('sim', { knobs: { tokens_per_s: 200 } })]
  const gatewayFlags = { '--keys-file': file }
  fleet = await startFleet({ hosts: [{ hostId: 'h1', pools }], gatewayFlags, key: OPS })
}, 120_000)
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

const clientOf = (apiKey: string) =>
  new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey, maxRetries: 0 })
const hello = (model = 'sim-model') => ({
  model,
  max_tokens: 4,
  messages: [{ role: 'user' as const, content: 'Hello' }],
})
const chatOf = (apiKey: string, model?: string) =>
  clientOf(apiKey).chat.completions.create(hello(model))

describe('the OpenAI SDK against a gateway that asks for keys', () => {
  it('completes, streams and lists models with its api_key', async () => {
    const { choices } = await chatOf('app-key')
    expect(choices[0]?.finish_reason).toBe('length')
    const client = clientOf('app-key')
    const stream = await client.chat.completions.create({ ...hello(), stream: true })
    const reasons: unknown[] = []
    for await (const chunk of stream) reasons.push(chunk.choices[0]?.finish_reason)
    expect(reasons.at(-1)).toBe('length')
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['sim-model'])
  })

  it('throws AuthenticationError with a key that is not known', async () => {
    const error: unknown = await chatOf('wrong').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
  })

  it('throws PermissionDeniedError for a scope or a model that a key lacks', async () => {
    for (const [key, code] of [
      [OPS, 'FORBIDDEN'],
      ['narrow-key', 'MODEL_NOT_ALLOWED'],
    ] as const) {
      const error: unknown = await chatOf(key).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError)
      expect(error).toMatchObject({ status: 403, code })
    }
    expect((await clientOf('narrow-key').models.list()).data).toEqual([])
  })

  it('leaves the id of its key in the log, and never the key', async () => {
    await chatOf('app-key')
    await chatOf('wrong-key-here').catch(() => undefined)
    const lines = await fleet.gateway.lines()
    expect(lines.filter(({ caller }) => caller === 'key:app').length).toBeGreaterThan(0)
    expect(JSON.stringify(lines)).not.toMatch(/app-key|wrong-key-here|ops-key/)
  })
})
