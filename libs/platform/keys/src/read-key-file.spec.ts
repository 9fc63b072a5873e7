import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { BerthError } from '@berth/kernel'
import { hashKey } from './key-ring.ts'
import { readKeyFile } from './read-key-file.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-keys-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const hex = (key: string) => Buffer.from(hashKey(key)).toString('hex')
const write = (text: string) => {
  const path = join(dir, 'keys.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
/** JSON is YAML. */
const file = (...keys: readonly object[]) => write(JSON.stringify({ keys }))
const entry = (more: object = {}) => ({
  id: 'app',
  sha256: hex('secret'),
  tenant: 'team',
  scopes: ['inference'],
  ...more,
})
const problemsOf = (path: string): string[] => {
  try {
    readKeyFile(path)
    return []
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    expect(reason).toBe('CONFIG_INVALID')
    return message.split('\n').map((line) => line.replace(`${path}: `, ''))
  }
}

describe('a key file', () => {
  it('says who holds a key, what it may do and what it may spend', () => {
    const limits = {
      requests_per_minute: 60,
      tokens_per_day: 1_000,
      time_ms_per_day: 5_000,
      cost_per_day: 0.25,
    }
    const { ring } = readKeyFile(file(entry({ models: ['m'], ...limits }), other))
    expect(ring.find('secret')).toEqual({
      id: 'app',
      sha256: Uint8Array.from(hashKey('secret')),
      tenant: 'team',
      scopes: new Set(['inference']),
      models: new Set(['m']),
      budget: {
        requestsPerMinute: 60,
        tokensPerDay: 1_000,
        timeMsPerDay: 5_000,
        costMicrosPerDay: 250_000,
      },
    })
    expect(ring.budgetOfKey('other')).toEqual({})
    expect([ring.budgetOfKey('nobody'), ring.byId('nobody')]).toEqual([undefined, undefined])
  })

  it.each(['', 'Secret', 'secret ', hex('secret'), 'x'.repeat(100_000)])(
    'knows nobody who presents %.20s',
    (presented) => {
      expect(readKeyFile(file(entry())).ring.find(presented)).toBeUndefined()
    },
  )

  it('is refused with every problem and its path, and without values', () => {
    const path = file(
      entry({ sha256: 'secret-by-mistake', scopes: [] }),
      entry({ id: 'Ä', tenant: '', scopes: ['root'], models: [], tokens_per_day: 0, budget: 1 }),
    )
    expect(problemsOf(path)).toEqual([
      'keys[0].sha256: expected 64 hexadecimal digits in lower case',
      'keys[0].scopes: Too small: expected array to have >=1 items',
      expect.stringMatching(/^keys\[1\]\.id: expected 1 to 63/),
      expect.stringMatching(/^keys\[1\]\.tenant: expected 1 to 63/),
      expect.stringMatching(/^keys\[1\]\.scopes\[0\]: Invalid option/),
      'keys[1].models: Too small: expected array to have >=1 items',
      'keys[1].tokens_per_day: Too small: expected number to be >0',
      'keys[1].budget: is not a known setting',
    ])
    expect(problemsOf(path).join()).not.toContain('by-mistake')
  })

  it('is refused with two keys of one id, or of one hash', () => {
    expect(problemsOf(file(entry(), { ...other, id: 'app' }))).toEqual([
      'keys[1].id: is the same as that of keys[0]',
    ])
    expect(problemsOf(file(entry(), { ...other, sha256: hex('secret') }))).toEqual([
      'keys[1].sha256: is the same as that of keys[0]',
    ])
  })

  it.each([
    ['empty', '', 'keys: Invalid input: expected array'],
    ['cut short', 'keys:\n  - id: "app', 'Missing closing "quote'],
    ['a list', '[]', 'Invalid input: expected object'],
  ])('is refused when it is %s', (_what, text, problem) => {
    expect(problemsOf(write(text)).join()).toContain(problem)
  })

  it('is refused when it is not there', () => {
    expect(problemsOf(join(dir, 'none.yaml'))[0]).toContain('Cannot read the key file')
  })

  it('is told when everyone can read it', () => {
    const path = file(entry())
    expect(readKeyFile(path).isWorldReadable).toBe(false)
    chmodSync(path, 0o644)
    expect(readKeyFile(path).isWorldReadable).toBe(true)
  })
})

const other = { id: 'other', sha256: hex('more'), tenant: 'team', scopes: ['operator', 'admin'] }
