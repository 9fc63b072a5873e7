import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createSimClock, type SimClock } from '@berth/kernel/testing'
import { createLogger } from '@berth/runtime'
import { addKey } from './add-key.ts'
import { watchKeyFile } from './watch-key-file.ts'

let dir: string
let path: string
let clock: SimClock
let lines: string[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-keys-'))
  path = join(dir, 'keys.yaml')
  clock = createSimClock()
  lines = []
  add('one')
})
afterEach(() => rmSync(dir, { recursive: true }))

const add = (id: string) =>
  addKey(path, `secret of ${id}`, { id, tenant: 'team', scopes: ['inference'] })
const watch = () => {
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLogger({ name: 'test', level: 'info', format: 'json', destination })
  return watchKeyFile({ path, clock, log })
}
const replace = (text: string) => {
  writeFileSync(`${path}.other`, text)
  renameSync(`${path}.other`, path)
}

describe('a key file that is watched', () => {
  it('takes effect within two seconds of a change', async () => {
    using keys = watch()
    expect(keys.current.find('secret of two')).toBeUndefined()
    add('two')
    await clock.advance(2_000)
    expect(keys.current.find('secret of two')?.id).toBe('two')
    expect(keys.current.find('secret of one')?.id).toBe('one')
  })

  it('takes a key away with its entry', async () => {
    using keys = watch()
    replace('keys: []\n')
    await clock.advance(2_000)
    expect(keys.current.find('secret of one')).toBeUndefined()
  })

  it.each([
    ['wrong', 'keys: [{id: "spaces in it"}]'],
    ['cut short', 'keys:\n  - id: "on'],
    ['empty', ''],
  ])('keeps the old keys when the new file is %s, and says once why', async (_what, text) => {
    using keys = watch()
    replace(text)
    await clock.advance(10_000)
    expect(keys.current.find('secret of one')?.id).toBe('one')
    expect(lines.filter((line) => line.includes('the old keys hold'))).toHaveLength(1)
    expect(lines.join()).toContain(path)
  })

  it('keeps the old keys while the file is away, and takes it when it is back', async () => {
    using keys = watch()
    rmSync(path)
    await clock.advance(2_000)
    expect(keys.current.size).toBe(1)
    add('new')
    await clock.advance(2_000)
    expect(keys.current.find('secret of new')?.id).toBe('new')
  })

  it('is warned of when everyone can read it', () => {
    chmodSync(path, 0o644)
    using _keys = watch()
    expect(lines.join()).toContain('chmod 600')
  })

  it('never gets a key or a hash into the log', async () => {
    using keys = watch()
    replace('keys: [{id: a, sha256: 00ff, tenant: t, scopes: [inference]}]')
    await clock.advance(2_000)
    rmSync(path)
    add('two')
    await clock.advance(2_000)
    expect(keys.current.find('secret of two')?.id).toBe('two')
    expect(lines.join()).not.toMatch(/secret of|00ff|[0-9a-f]{64}/)
  })

  it('is let go of', () => {
    watch()[Symbol.dispose]()
    expect(clock.pending()).toBe(0)
  })
})
