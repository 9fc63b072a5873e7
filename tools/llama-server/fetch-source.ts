import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import source from './source.json' with { type: 'json' }

export interface FetchSourceOptions {
  readonly embeddedRuntimeDir: string
  readonly npmPath: string
  /** For the package, when it is not installed. */
  readonly scratch: string
  readonly say: (line: string) => void
}

/**
 * The path of the git bundle of llama.cpp that stands in the package `node-llama-cpp`: in the
 * embedded engine's runtime, or in the package as npm brings it. Rejects when npm fails, or when
 * package or bundle is not the pinned one.
 */
export const fetchSource = async (options: FetchSourceOptions): Promise<string> => {
  const installed = join(options.embeddedRuntimeDir, 'node_modules', PACKAGE, BUNDLE)
  const hash = await sha256Of(installed).catch(() => undefined)
  if (hash === source.bundleSha256) return installed
  const fetched = join(await fetchPackage(options), BUNDLE)
  const fetchedHash = await sha256Of(fetched)
  if (fetchedHash === source.bundleSha256) return fetched
  throw new Error(
    `The source of llama.cpp in ${PACKAGE} has the hash ${fetchedHash}, ` +
      `not ${source.bundleSha256} as tools/llama-server/source.json has it.`,
  )
}

const PACKAGE = 'node-llama-cpp'
const BUNDLE = join('llama', 'gitRelease.bundle')
const LOCK = new URL('../../apps/embedded-engine/runtime/package-lock.json', import.meta.url)
const FETCH_TIMEOUT_MS = 300_000

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; integrity: string }>>
}

/** The folder of the package, checked against the lock file of the embedded engine. */
const fetchPackage = async ({ npmPath, scratch, say }: FetchSourceOptions): Promise<string> => {
  const lock = JSON.parse(await readFile(LOCK, 'utf8')) as Lock
  const { version, integrity } = lock.packages[`node_modules/${PACKAGE}`]!
  say(`Fetching the source of llama.cpp (${PACKAGE} ${version}).`)
  const options = { cwd: scratch, timeout: FETCH_TIMEOUT_MS }
  const flags = ['--json', '--ignore-scripts', '--pack-destination', scratch]
  const { stdout } = await promisify(execFile)(
    npmPath,
    ['pack', `${PACKAGE}@${version}`, ...flags],
    options,
  )
  const [packed] = JSON.parse(stdout) as readonly { readonly filename: string }[]
  const archive = join(scratch, packed!.filename)
  const found = `sha512-${await digestOf(archive, 'sha512', 'base64')}`
  if (found !== integrity)
    throw new Error(`${PACKAGE} ${version} is ${found}, not ${integrity} as its lock file has it.`)
  const folder = join(scratch, 'package')
  await mkdir(folder)
  const only = `package/${BUNDLE}`
  await promisify(execFile)('tar', ['-xzf', archive, '-C', scratch, only], options)
  return folder
}

const sha256Of = (path: string): Promise<string> => digestOf(path, 'sha256', 'hex')

const digestOf = async (
  path: string,
  algorithm: string,
  encoding: 'hex' | 'base64',
): Promise<string> => {
  const hash = createHash(algorithm)
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest(encoding)
}
