// Installs what the embedded engine loads at run time (node-llama-cpp and one prebuilt llama.cpp,
// about 85 MB; with every optional package it would be 725 MB), apart from the workspace:
//   node tools/install-embedded-runtime.ts [TARGET_DIR]
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

export interface InstallEmbeddedRuntimeOptions {
  /** The folder that gets `node_modules/node-llama-cpp`. */
  readonly targetDir: string
  /** The npm to run: a program, or its `npm-cli.js`. Default `npm` of PATH. */
  readonly npmPath?: string
}

/**
 * Installs the runtime into `targetDir` unless the same one stands there already. It is built
 * beside the target and moved there whole, so that nobody sees half of one and an interrupted
 * install leaves the old one. Packages are checked against the hashes of the committed lock file.
 * Rejects with npm's output when npm fails, and when no prebuilt llama.cpp exists for this machine.
 */
export const installEmbeddedRuntime = async (
  options: InstallEmbeddedRuntimeOptions,
): Promise<{ readonly isNew: boolean }> => {
  const targetDir = resolve(options.targetDir)
  const plan = await planInstall()
  if ((await readMark(targetDir)) === plan.mark) return { isNew: false }
  await mkdir(dirname(targetDir), { recursive: true })
  const buildDir = await mkdtemp(join(dirname(targetDir), `${basename(targetDir)}.new-`))
  try {
    await writeFile(join(buildDir, 'package.json'), JSON.stringify(plan.manifest, null, 2))
    await writeFile(join(buildDir, 'package-lock.json'), JSON.stringify(plan.lock, null, 2))
    await runNpm(options.npmPath ?? 'npm', plan.npmCommand, buildDir)
    await writeFile(join(buildDir, MARK), plan.mark)
    // An agent that is root runs its engines as another user.
    await chmod(buildDir, 0o755)
    await moveIntoPlace(buildDir, targetDir, plan.mark)
  } finally {
    await rm(buildDir, { recursive: true, force: true })
  }
  return { isNew: true }
}

const MARK = 'installed'
const INSTALL_TIMEOUT_MS = 300_000
const MAX_REASON_LINES = 12
const SOURCE_DIR = new URL('../apps/embedded-engine/runtime/', import.meta.url)

/** The package with the CPU (on a Mac: Metal) build of llama.cpp, per `process.platform`-`arch`. */
const PREBUILT: Readonly<Record<string, string>> = {
  'linux-x64': '@node-llama-cpp/linux-x64',
  'linux-arm64': '@node-llama-cpp/linux-arm64',
  'darwin-arm64': '@node-llama-cpp/mac-arm64-metal',
  'darwin-x64': '@node-llama-cpp/mac-x64',
}

const PREBUILT_PATH = 'node_modules/@node-llama-cpp/'

interface Manifest {
  dependencies: Record<string, string>
}
interface Lock {
  packages: Record<string, LockedPackage>
}
interface LockedPackage {
  optional?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/**
 * All builds of llama.cpp, CUDA and Vulkan included, are optional packages of node-llama-cpp. They
 * are taken out of its entry in the lock, and the one for this machine is made a plain dependency
 * of ours, where it keeps its hash.
 */
const planInstall = async () => {
  const manifestText = await readFile(new URL('package.json', SOURCE_DIR), 'utf8')
  const lockText = await readFile(new URL('package-lock.json', SOURCE_DIR), 'utf8')
  const manifest = JSON.parse(manifestText) as Manifest
  const lock = JSON.parse(lockText) as Lock
  const platform = `${process.platform}-${process.arch}`
  const prebuilt = PREBUILT[platform]
  if (prebuilt === undefined) throw new Error(`No prebuilt llama.cpp for ${platform}.`)
  const added = { [prebuilt]: manifest.dependencies['node-llama-cpp']! }
  Object.assign(manifest.dependencies, added)
  Object.assign(lock.packages['']!.dependencies!, added)
  delete lock.packages['node_modules/node-llama-cpp']!.optionalDependencies
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).filter(
      ([path]) => !path.startsWith(PREBUILT_PATH) || path === `node_modules/${prebuilt}`,
    ),
  )
  const locked = lock.packages[`node_modules/${prebuilt}`]
  delete locked?.optional
  return {
    manifest,
    lock,
    // `ci` refuses what the lock does not name.
    npmCommand: locked === undefined ? 'install' : 'ci',
    mark: createHash('sha256').update(`${platform}\n${lockText}`).digest('hex'),
  }
}

const readMark = (dir: string): Promise<string | undefined> =>
  readFile(join(dir, MARK), 'utf8').catch(() => undefined)

const moveIntoPlace = async (buildDir: string, targetDir: string, mark: string): Promise<void> => {
  const oldDir = `${buildDir}.old`
  await rename(targetDir, oldDir).catch(ignoreMissing)
  try {
    await rename(buildDir, targetDir)
  } catch (error) {
    // Another install was faster; its result serves as well as ours.
    if ((await readMark(targetDir)) !== mark) throw error
  } finally {
    await rm(oldDir, { recursive: true, force: true })
  }
}

const ignoreMissing = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'ENOENT') throw error
}

const runNpm = async (npmPath: string, command: string, cwd: string): Promise<void> => {
  const isScript = npmPath.endsWith('.js')
  const program = isScript ? process.execPath : npmPath
  const flags = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund']
  const args = [...(isScript ? [npmPath] : []), command, ...flags]
  try {
    await promisify(execFile)(program, args, { cwd, timeout: INSTALL_TIMEOUT_MS })
  } catch (error) {
    const { message, stderr = '' } = error as Error & { stderr?: string }
    const reasons = stderr.split('\n').filter((line) => line.startsWith('npm error'))
    const reason = reasons.slice(0, MAX_REASON_LINES).join('\n') || message.slice(0, 500)
    throw new Error(`The embedded engine's runtime did not install.\n${reason}`)
  }
}

if (import.meta.main) {
  const targetDir =
    process.argv[2] ?? new URL('../.berth/embedded-engine', import.meta.url).pathname
  const { isNew } = await installEmbeddedRuntime({ targetDir })
  process.stdout.write(`${isNew ? 'Installed' : 'Already there'}: ${targetDir}\n`)
}
