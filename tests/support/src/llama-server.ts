import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { EMBEDDED_RUNTIME_DIR, TINY_MODEL, type PoolEntry } from './pool-entries.ts'

/**
 * The real `llama-server`: the one `BERTH_LLAMA_SERVER` names, the one `./berth test` has built, or
 * one on PATH. `undefined` where there is none, which in the gate is an error: nothing is skipped
 * there.
 */
export const findLlamaServer = (): string | undefined => {
  const named = process.env['BERTH_LLAMA_SERVER']
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, PROGRAM))
  const found = [...(named === undefined ? [] : [named]), ...built(), ...onPath].find(canRun)
  if (found === undefined && process.env['BERTH_GATE'] === '1')
    throw new Error('No llama-server. Build it: node tools/llama-server/main.ts')
  return found
}

const PROGRAM = 'llama-server'
const BUILDS = join(dirname(EMBEDDED_RUNTIME_DIR), 'llama-server')

/** A build is whole once its hash stands beside it. */
const built = (): readonly string[] =>
  (existsSync(BUILDS) ? readdirSync(BUILDS) : [])
    .filter((name) => existsSync(join(BUILDS, name, 'installed')))
    .map((name) => join(BUILDS, name, PROGRAM))

const canRun = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // It is not there, or not ours to run: the next place may have one.
    return false
  }
}

export interface LlamacppPoolSettings {
  /** What clients call the tiny model; default `berth-tiny`. */
  readonly modelId?: string
  readonly slots?: number
  readonly options?: object
  readonly lifecycle?: object
  /** More of the entry. */
  readonly more?: object
}

/** A managed pool of `program`, a `llama-server`, with the tiny model, on one thread. */
export const llamacppPool = (
  program: string,
  id: string,
  settings: LlamacppPoolSettings = {},
): PoolEntry => ({
  entry: {
    id,
    engine: 'llamacpp',
    model: `file:${TINY_MODEL}`,
    model_id: settings.modelId ?? 'berth-tiny',
    slots: settings.slots ?? 2,
    engine_options: { ...settings.options },
    lifecycle: {
      binary_path: program,
      health_check_interval_s: 1,
      backoff: { initial_ms: 200 },
      ...settings.lifecycle,
    },
    ...settings.more,
  },
})
