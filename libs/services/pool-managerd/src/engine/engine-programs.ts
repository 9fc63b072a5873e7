import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { CrashReport } from '@berth/supervision'
import { INSTANCE_VARIABLE } from '../state/process-scan.ts'
import { childEnv } from './child-env.ts'
import { confine } from './confine.ts'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { findProgram } from './privileges.ts'

/** The program of an engine, as a launch needs it. */
export type FoundProgram =
  | {
      readonly kind: 'found'
      /** Absent: the driver names it, or it is part of an image. */
      readonly program?: string
      /** What it printed when it was asked for its version; absent: it did not say. */
      readonly programVersion?: string
    }
  | { readonly kind: 'refused'; readonly report: CrashReport }

/** Of whom the program is looked for, and with what. */
export type ProgramRequest = Pick<LaunchRequest, 'spec' | 'driver' | 'log'>
export type ProgramEnv = Pick<LaunchEnv, 'agentEnv' | 'privileges'>

/** Finds engines' programs on PATH and asks each for its version, once while it is the same file. */
export interface EnginePrograms {
  find(request: ProgramRequest, env: ProgramEnv): Promise<FoundProgram>
}

/** Some import half of the world before they answer. */
const TIMEOUT_MS = 60_000
const OUT_MAX_BYTES = 1_048_576
const KEPT = 64
/** A Python that runs, without the package that is asked for. */
const IS_WITHOUT = /No module named|PackageNotFoundError|No package metadata/

type Asked = { readonly kind: 'version' | 'lacks'; readonly text: string }

export const createEnginePrograms = (): EnginePrograms => {
  const asked = new Map<string, Asked>()

  const ask = async (path: string, request: ProgramRequest, env: ProgramEnv): Promise<Asked> => {
    const { driver } = request
    const argv = driver.versionArgvOf?.(path) ?? driver.versionArgv
    if (!argv) return { kind: 'version', text: '' }
    const { mtimeMs, ino } = await stat(path)
    const key = JSON.stringify([path, mtimeMs, ino, argv])
    const known = asked.get(key)
    if (known) return known
    const told = await askVersion([path, ...argv], request, env)
    if (asked.size >= KEPT) asked.clear()
    // Who did not answer may do so the next time.
    if (told.text !== '') asked.set(key, told)
    return told
  }
  return {
    find: async (request, env) => {
      const names = namesOf(request)
      if (names.length === 0) return { kind: 'found' }
      const { PATH: path } = childEnv(env.agentEnv, {}, '')
      for (const name of names) {
        const program = await findProgram(name, path)
        if (program === undefined) continue
        const { kind, text } = await ask(program, request, env)
        if (kind === 'version')
          return { kind: 'found', program, ...(text === '' ? {} : { programVersion: text }) }
      }
      return { kind: 'refused', report: missing(request, names) }
    },
  }
}

/** None for an engine that is not ours to start, or whose driver knows its program. */
const namesOf = ({ spec, driver }: ProgramRequest): readonly string[] => {
  const { mode, binaryPath } = spec.engine
  if (mode !== 'managed' || spec.container || !driver.programs) return []
  return binaryPath === undefined ? driver.programs : [binaryPath]
}

/** Runs it as the engine would be run, in a folder that holds nothing it could pick up. */
const askVersion = async (
  argv: readonly string[],
  { log }: ProgramRequest,
  env: ProgramEnv,
): Promise<Asked> => {
  // It is no instance, and needs no secret.
  const {
    HF_TOKEN: _token,
    [INSTANCE_VARIABLE]: _id,
    ...variables
  } = childEnv(env.agentEnv, {}, '')
  const how = await confine({ argv, folder: '/', path: variables['PATH'], log }, env.privileges)
  if (how.kind === 'refused') return { kind: 'version', text: '' }
  const [file = '', ...args] = [...how.prefix, ...argv]
  return new Promise((resolve) => {
    const limits = { timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: OUT_MAX_BYTES } as const
    execFile(file, args, { ...limits, cwd: '/', env: variables }, (error, out, err) => {
      const text = `${err}\n${out}`.trim()
      if (!error) return resolve({ kind: 'version', text })
      // A start tells better why it fails than a question for its version.
      log.warn({ program: argv[0], error: error.message.slice(0, 300) }, 'engine tells no version')
      resolve({ kind: IS_WITHOUT.test(text) ? 'lacks' : 'version', text: '' })
    })
  })
}

const missing = ({ spec }: ProgramRequest, names: readonly string[]): CrashReport => {
  const { engine, binaryPath } = spec.engine
  const isNamed = binaryPath !== undefined
  const where = isNamed ? `lifecycle.binary_path (${binaryPath})` : `PATH (${names.join(', ')})`
  return {
    kind: 'missing_runtime',
    message:
      `There is no ${engine} to run at ${where}. Install ${productOf(engine)} on this host; ` +
      `Berth never installs packages.${isNamed ? '' : ' Elsewhere than on PATH: set lifecycle.binary_path.'}`,
    isRetriable: false,
  }
}

const PRODUCTS: Readonly<Record<string, string>> = {
  ...{ vllm: 'vLLM', llamacpp: 'llama.cpp (llama-server)', ollama: 'Ollama' },
}

const productOf = (engine: string): string => PRODUCTS[basename(engine)] ?? engine
