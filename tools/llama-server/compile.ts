import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { copyFile, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** CPU only, for any CPU of this kind, one file, without what reaches into the network. */
export const BUILD_FLAGS: readonly string[] = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DBUILD_SHARED_LIBS=OFF',
  '-DGGML_NATIVE=OFF',
  '-DLLAMA_OPENSSL=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF',
  '-DLLAMA_BUILD_APP=OFF',
  '-DLLAMA_BUILD_UI=OFF',
  '-DLLAMA_USE_PREBUILT_UI=OFF',
]

export interface CompileOptions {
  /** The source, as a git bundle. */
  readonly bundle: string
  readonly commit: string
  readonly scratch: string
  /** The program. */
  readonly to: string
  readonly say: (line: string) => void
}

/** Programs a build takes that are not on PATH. */
export const missingPrograms = async (): Promise<readonly string[]> => {
  const found = await Promise.all(
    NEEDED.map(async (program) =>
      run(program, ['--version'], { timeout: 30_000 }).then(
        () => [],
        () => [program],
      ),
    ),
  )
  return found.flat()
}

/** Configures and builds `llama-server` alone. Rejects with the end of the output of a step. */
export const compile = async (options: CompileOptions): Promise<void> => {
  const { bundle, commit, scratch, to, say } = options
  const [from, into] = [join(scratch, 'source'), join(scratch, 'build')]
  const log = join(scratch, 'build.log')
  const step = (program: string, ...args: readonly string[]) => runStep({ program, args, log, say })
  await step('git', 'clone', '--quiet', '--no-checkout', bundle, from)
  await step('git', '-C', from, '-c', 'advice.detachedHead=false', 'checkout', '--quiet', commit)
  await step('cmake', '-S', from, '-B', into, '-G', await generator(), ...BUILD_FLAGS)
  const jobs = String(availableParallelism())
  await step('cmake', '--build', into, '--target', 'llama-server', '--parallel', jobs)
  await copyFile(join(into, 'bin', 'llama-server'), to)
  await step('strip', to)
}

const NEEDED = ['git', 'cmake', 'g++', 'make', 'strip']

/** Ninja where it is; its progress has the same shape as that of make. */
const generator = (): Promise<string> =>
  run('ninja', ['--version'], { timeout: 30_000 }).then(
    () => 'Ninja',
    () => 'Unix Makefiles',
  )

/** Far above what it takes on two busy cores. */
const STEP_TIMEOUT_MS = 3_600_000
const SAY_EVERY_MS = 30_000
const REASON_LINES = 20

interface Step {
  readonly program: string
  readonly args: readonly string[]
  readonly log: string
  readonly say: (line: string) => void
}

const runStep = async ({ program, args, log, say }: Step): Promise<void> => {
  const output = createWriteStream(log)
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  child.stderr.pipe(output, { end: false })
  let last = ''
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = line
    output.write(`${line}\n`)
  })
  const telling = setInterval(() => say(`  ${last.slice(0, 90)}`), SAY_EVERY_MS)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => clearInterval(telling))
  await finished(output.end())
  if (code === 0) return
  const reason = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-REASON_LINES)
  throw new Error(`${program} ended with ${code ?? 'a signal'}:\n${reason.join('\n')}`)
}
