import { parseArgs } from 'node:util'

/** What the engine was asked to be. */
export interface EngineOptions {
  readonly modelPath: string
  readonly host: string
  /** 0: the system chooses; the log names it. */
  readonly port: number
  readonly slots: number
  /** Tokens each slot can hold, prompt and answer; `undefined`: what the model knows, at most 4096. */
  readonly contextTokens: number | undefined
  readonly threads: number
  readonly alias: string | undefined
  readonly runtimeDir: string
  readonly hasEmbeddings: boolean
  readonly gpu: 'auto' | false
  /** `exact`: the same request gives the same bytes whatever else runs. `shared`: faster. */
  readonly batching: 'exact' | 'shared'
  readonly maxQueued: number
  readonly shutdownGraceMs: number
  readonly apiKeys: readonly string[]
}

type Env = Readonly<Record<string, string | undefined>>

/** Reads the command line. Throws an `Error` whose message names the flag that is wrong. */
export const readFlags = (argv: readonly string[], env: Env): EngineOptions => {
  const { values } = parseArgs({ args: [...argv], options: FLAGS })
  const number = (flag: keyof typeof RANGES, value: string): number => {
    const [min, max] = RANGES[flag]
    const parsed = /^\d+$/.test(value) ? Number(value) : NaN
    if (parsed >= min && parsed <= max) return parsed
    throw new Error(`--${flag} ${value}: a whole number from ${min} to ${max} is needed`)
  }
  const oneOf = <T extends string>(flag: string, value: string, allowed: readonly T[]): T => {
    const found = allowed.find((item) => item === value)
    if (found !== undefined) return found
    throw new Error(`--${flag} ${value}: one of ${allowed.join(', ')} is needed`)
  }
  const { model, 'runtime-dir': runtimeDir } = values
  if (model === undefined) throw new Error('--model FILE is missing')
  if (runtimeDir === undefined) throw new Error('--runtime-dir DIR is missing')
  const apiKey = values['api-key'] ?? env['BERTH_ENGINE_API_KEY'] ?? ''
  return {
    modelPath: model,
    runtimeDir,
    host: values.host,
    port: number('port', values.port),
    slots: number('slots', values.slots),
    contextTokens: values.ctx === undefined ? undefined : number('ctx', values.ctx),
    threads: number('threads', values.threads),
    alias: values.alias,
    hasEmbeddings: values.embeddings,
    gpu: oneOf('gpu', values.gpu, ['auto', 'off']) === 'auto' ? 'auto' : false,
    batching: oneOf('batching', values.batching, ['exact', 'shared']),
    maxQueued: number('max-queued', values['max-queued']),
    shutdownGraceMs: number('shutdown-grace-ms', values['shutdown-grace-ms']),
    apiKeys: apiKey.split(',').filter((key) => key !== ''),
  }
}

const FLAGS = {
  model: { type: 'string', short: 'm' },
  'runtime-dir': { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8080' },
  slots: { type: 'string', default: '1' },
  ctx: { type: 'string' },
  // More threads than idle cores stall each other: a thousand times slower, measured.
  threads: { type: 'string', default: '1' },
  alias: { type: 'string' },
  embeddings: { type: 'boolean', default: false },
  gpu: { type: 'string', default: 'off' },
  batching: { type: 'string', default: 'exact' },
  'max-queued': { type: 'string', default: '64' },
  'shutdown-grace-ms': { type: 'string', default: '0' },
  'api-key': { type: 'string' },
} as const

const RANGES = {
  port: [0, 65_535],
  slots: [1, 64],
  ctx: [16, 10_000_000],
  threads: [1, 1024],
  'max-queued': [0, 10_000],
  'shutdown-grace-ms': [0, 86_400_000],
} as const
