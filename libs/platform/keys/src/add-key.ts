import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import { listProblems } from '@berth/runtime'
import { Document, parseDocument } from 'yaml'
import type { Scope } from './access-key.ts'
import { keyFileSchema } from './key-file-schema.ts'
import { hashKey } from './key-ring.ts'

/** What the entry of a new key says; the words are those of the file. */
export interface NewKey {
  readonly id: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  readonly models?: readonly string[]
  readonly requests_per_minute?: number
  readonly tokens_per_day?: number
  readonly time_ms_per_day?: number
  readonly cost_per_day?: number
}

const OWNER_ONLY = 0o600
const HEADER = ' Who may use the fleet. Holds hashes, no keys. `berth keys new` adds to it.'

/**
 * Appends an entry for `key` to the file, which is made where there is none; comments stay. Readers
 * see the old file or the new one. Throws `CONFIG_INVALID` for a file or an entry that is wrong, an
 * id that is taken, and while another process writes; the file is then as it was.
 */
export const addKey = (path: string, key: string, entry: NewKey): void => {
  const target = realPathOf(path)
  const scratch = `${target}.new`
  const file = lock(scratch)
  try {
    const document = readDocument(target)
    const { id, ...rest } = entry
    const sha256 = Buffer.from(hashKey(key)).toString('hex')
    if (!document.has('keys')) document.set('keys', [])
    document.addIn(['keys'], document.createNode({ id, sha256, ...rest }))
    const result = keyFileSchema.safeParse(document.toJS())
    if (!result.success) throw invalid(listProblems(result.error, `${path}: `).join('\n'))
    writeFileSync(file, document.toString({ lineWidth: 0 }))
    fsyncSync(file)
    renameSync(scratch, target)
  } catch (error) {
    rmSync(scratch, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** The file behind a link is replaced, not the link. */
const realPathOf = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    // Not there yet.
    return path
  }
}

const lock = (scratch: string): number => {
  try {
    return openSync(scratch, 'wx', OWNER_ONLY)
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST'
    const message = isTaken
      ? `${scratch} exists: another process is writing the key file, or died as it did. Delete it if none is.`
      : `Cannot write the key file: ${messageOf(error)}`
    throw new BerthError('CONFIG_INVALID', message, { cause: error })
  }
}

const readDocument = (path: string): Document => {
  const text = readIfThere(path)
  const document = parseDocument(text, { uniqueKeys: true })
  const [error] = document.errors
  // The rest of the message quotes the file.
  if (error) throw invalid(`${path}: ${error.message.split('\n')[0]}`)
  if (document.contents !== null) return document
  const fresh = new Document({ keys: [] })
  fresh.commentBefore = text.trim() === '' ? HEADER : document.commentBefore
  return fresh
}

const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new BerthError('CONFIG_INVALID', `Cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const invalid = (message: string) => new BerthError('CONFIG_INVALID', message)
