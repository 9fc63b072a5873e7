import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { readKeyFile } from '@berth/keys'
import { createScope } from '@berth/runtime'
import { keysLs } from './keys-ls.ts'
import { keysNew, type KeysNewOptions } from './keys-new.ts'
import { createTerminal } from './terminal.ts'

let dir: string
let file: string
let printed: { out: string; err: string }
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-keys-'))
  file = join(dir, 'keys.yaml')
  printed = { out: '', err: '' }
})
afterEach(() => rmSync(dir, { recursive: true }))

const output = (into: 'out' | 'err') => ({
  isTTY: false,
  columns: 80,
  write: (text: string | Uint8Array) => (printed[into] += String(text)) !== '',
})
const context = () => ({
  scope: createScope(),
  signal: new AbortController().signal,
  terminal: createTerminal(output('out'), output('err')),
})
const make = (more: Partial<KeysNewOptions> = {}) =>
  keysNew({ ...context(), options: { file, id: 'app', tenant: 'team', ...more } })

describe('berth keys new', () => {
  it('prints the key alone on stdout, and writes its hash only', async () => {
    expect(await make()).toBe(0)
    const key = printed.out.trim()
    expect(key).toMatch(/^berth-[A-Za-z0-9_-]{43}$/)
    expect(readFileSync(file, 'utf8')).not.toContain(key)
    expect(readKeyFile(file).ring.find(key)).toMatchObject({ id: 'app', tenant: 'team' })
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('writes scopes, models and limits', async () => {
    await make({ scope: ['operator', 'admin'], model: ['a', 'b/c'] })
    await make({ id: 'two', tokensPerDay: 5_000, requestsPerMinute: 60, costPerDay: 12.5 })
    const { ring } = readKeyFile(file)
    expect([...ring.byId('app')!.scopes]).toEqual(['operator', 'admin'])
    expect([...ring.byId('app')!.models!]).toEqual(['a', 'b/c'])
    expect([...ring.byId('two')!.scopes]).toEqual(['inference'])
    expect(ring.budgetOfKey('two')).toEqual({
      requestsPerMinute: 60,
      tokensPerDay: 5_000,
      costMicrosPerDay: 12_500_000,
    })
  })

  it('keeps comments, and takes a file that others could read from them', async () => {
    await make()
    writeFileSync(file, `# Ours.\n${readFileSync(file, 'utf8')}# The end.\n`)
    chmodSync(file, 0o644)
    await make({ id: 'two' })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('# Ours.')
    expect(text).toContain('# The end.')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readKeyFile(file).ring.size).toBe(2)
  })

  it.each<[string, Partial<KeysNewOptions>, string]>([
    ['an id that is taken', {}, 'keys[1].id: is the same as that of keys[0]'],
    ['an id that is none', { id: 'no spaces' }, 'keys[1].id: expected 1 to 63'],
  ])('leaves the file as it was for %s', async (_what, more, problem) => {
    await make()
    const before = readFileSync(file, 'utf8')
    await expect(make(more)).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining(problem) as unknown,
    })
    expect(readFileSync(file, 'utf8')).toBe(before)
    await make({ id: 'three' })
    expect(readKeyFile(file).ring.size).toBe(2)
  })

  it('does not write while another process does', async () => {
    writeFileSync(`${file}.new`, '')
    await expect(make()).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('another process') as unknown,
    })
  })
})

describe('berth keys ls', () => {
  it('shows what the file says of each key', async () => {
    await make({ model: ['m'], tokensPerDay: 10 })
    printed.out = ''
    expect(await keysLs({ ...context(), options: { file } })).toBe(0)
    expect(printed.out.split('\n').map((line) => line.split(/\s{2,}/))).toEqual([
      ['ID', 'TENANT', 'SCOPES', 'MODELS', 'LIMITS'],
      ['app', 'team', 'inference', 'm', '10 tokens/day'],
      [''],
    ])
  })

  it('says what is wrong with a file', async () => {
    await expect(keysLs({ ...context(), options: { file } })).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('Cannot read the key file') as unknown,
    })
  })
})
