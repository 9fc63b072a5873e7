import { basename, isAbsolute, resolve } from 'node:path'
import type { EngineName } from '@berth/supervision'
import type { PoolSpec } from './pool-spec.ts'

/** Engines that read a model file of this machine: a plain `model` is a path to them. */
const FILE_ENGINES: ReadonlySet<EngineName> = new Set(['embedded', 'llamacpp'])

/** True for engines that are given a model file of this machine. */
export const readsFiles = (engine: EngineName): boolean => FILE_ENGINES.has(engine)

/** Engines that cannot be started without a model; the others begin empty. */
const ONE_MODEL_ENGINES: ReadonlySet<EngineName> = new Set(['embedded', 'llamacpp', 'vllm'])

export interface ModelSource {
  /** What clients call it unless told otherwise. */
  readonly modelId: string
  /** Absolute, for `file:` and for plain paths. */
  readonly path?: string
}

/**
 * What `model` of a pool means: a path below `root` for `file:` and for engines that read files,
 * else a name. `name.gguf` is called `name`; a revision (`@...`) is no part of the name.
 */
export const readModelSource = (model: string, engine: EngineName, root: string): ModelSource => {
  const { scheme, rest } = split(model)
  if (scheme === 'file' || (!scheme && FILE_ENGINES.has(engine))) {
    const plain = rest.replace(/^\/\/(?=\/)/, '')
    const path = isAbsolute(plain) ? plain : resolve(root, plain)
    return { modelId: withoutEnding(basename(path)), path }
  }
  if (scheme === 'https') return { modelId: withoutEnding(basename(rest)) }
  return { modelId: scheme === 'hf' ? rest.replace(/@[^@]*$/, '') : rest }
}

/** The engine of the pool has to be given a model before it can start, and there is none yet. */
export const lacksModel = ({ modelRef, engine }: PoolSpec): boolean =>
  modelRef === '' && engine.mode === 'managed' && ONE_MODEL_ENGINES.has(engine.engine)

/** What `model` says of where it comes from; empty for a plain path or name. */
export const schemeOf = (model: string): string => split(model).scheme

const split = (model: string) => {
  const [, scheme = '', rest = ''] = SCHEMES.exec(model) ?? ['', '', model]
  return { scheme, rest }
}

const SCHEMES = /^(hf|file|https|oci|ollama):(.*)$/s

const withoutEnding = (file: string) => file.replace(/\.gguf$/i, '')
