import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { openRegistryAuth } from './registry-auth.ts'

let dir: string
let path: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-auth-'))
  path = join(dir, 'config.json')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const write = (auths: unknown) => writeFile(path, JSON.stringify({ auths }))
const base64 = (text: string) => Buffer.from(text).toString('base64')

it('finds who asks a registry, as docker login writes it', async () => {
  await write({
    'registry.example': { auth: base64('me:pass:word') },
    'https://other.example/v1/': { username: 'you', password: 'secret' },
    'helped.example': {},
  })
  const of = openRegistryAuth(path)
  expect(of('registry.example')).toEqual({ username: 'me', password: 'pass:word' })
  expect(of('other.example')).toEqual({ username: 'you', password: 'secret' })
  expect(of('helped.example')).toBeUndefined()
  expect(of('example')).toBeUndefined()
})

it('reads a password again that was changed', async () => {
  await write({ 'registry.example': { auth: base64('me:old') } })
  const of = openRegistryAuth(path)
  await write({ 'registry.example': { auth: base64('me:new') } })
  expect(of('registry.example')).toEqual({ username: 'me', password: 'new' })
})

it('asks as nobody without a file', () => {
  expect(openRegistryAuth(undefined)('registry.example')).toBeUndefined()
})

it.each([
  ['is not there', undefined],
  ['is no JSON', 'auths: secret-word'],
  ['is another file', '{"auths":[1]}'],
])(
  'refuses to start with a file that %s, and tells nothing of what is in it',
  async (_what, text) => {
    const file = join(dir, `${_what}.json`)
    if (text !== undefined) await writeFile(file, text)
    expect(() => openRegistryAuth(file)).toThrow(
      expect.objectContaining({
        reason: 'CONFIG_INVALID',
        message: expect.not.stringContaining('secret'),
      }),
    )
  },
)
