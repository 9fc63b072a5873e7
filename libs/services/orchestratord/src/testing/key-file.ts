import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashKey } from '@berth/keys'

/** One key of a test: what the file says of it, and the key itself. */
export interface TestKey {
  readonly key: string
  readonly id?: string
  readonly tenant?: string
  readonly scopes?: readonly string[]
  readonly models?: readonly string[]
}

/** A key file in a folder of its own; `write` replaces it. */
export const makeKeyFile = (...keys: readonly TestKey[]) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-keys-'))
  const path = join(dir, 'keys.yaml')
  const write = (...entries: readonly TestKey[]) =>
    writeFileSync(path, JSON.stringify({ keys: entries.map(entryOf) }), { mode: 0o600 })
  write(...keys)
  return { path, write, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) }
}

const entryOf = ({ key, id = key, tenant = 'team', scopes = ['inference'], models }: TestKey) => ({
  ...{ id, tenant, scopes, models },
  sha256: Buffer.from(hashKey(key)).toString('hex'),
})
