import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_KNOBS, patchKnobs, type Knobs } from '@berth/sim-text'
import { keepAliveMsOf } from '../ollama-models.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Serve {
  readonly knobs: Knobs
  /** Every variable of Ollama that it was given. */
  readonly told: Readonly<Record<string, string>>
  readonly modelsDir: string
}

/** For ever, as a knob can say it. */
const FOR_EVER_MS = 1e15

/** What `ollama serve` does with its environment, and what the world around it adds. */
export const readServe = (worldPath: string, env: Env): Serve => {
  const told = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith('OLLAMA_') && value !== undefined ? [[name, value]] : [],
    ),
  )
  const [, host = '127.0.0.1', port = '11434'] =
    /^(?:https?:\/\/)?([^:]*):(\d+)$/.exec(told['OLLAMA_HOST'] ?? '') ?? []
  const keepAliveMs = keepAliveMsOf(told['OLLAMA_KEEP_ALIVE']) ?? DEFAULT_KNOBS.keepAliveMs
  const asTold = {
    ...{ dialect: 'ollama', host, port: Number(port), model: '' },
    ...number('slots', told['OLLAMA_NUM_PARALLEL'] ?? '1'),
    ...number('ctx', told['OLLAMA_CONTEXT_LENGTH']),
    ...number('max_loaded_models', told['OLLAMA_MAX_LOADED_MODELS']),
    ...number('max_queue', told['OLLAMA_MAX_QUEUE']),
    keep_alive_ms: Math.min(keepAliveMs, FOR_EVER_MS),
  }
  const world = JSON.parse(readFileSync(worldPath, 'utf8')) as object
  const read = patchKnobs(DEFAULT_KNOBS, { ...asTold, ...world }, () => true)
  if (!read.ok) throw new Error(read.problems.join('; '))
  const modelsDir = told['OLLAMA_MODELS'] ?? join(homedir(), '.ollama/models')
  return { knobs: read.knobs, told, modelsDir }
}

const number = (knob: string, text: string | undefined) =>
  text === undefined ? {} : { [knob]: Number(text) }
