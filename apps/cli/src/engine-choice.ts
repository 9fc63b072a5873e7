import type { OllamaFound } from './find-ollama.ts'

/** Engines that `up` can make a pool for; others need a pools file. */
export const ENGINES = ['embedded', 'llamacpp', 'ollama', 'vllm', 'openai', 'sim'] as const

/** What `up` was asked for about the pool it makes. */
export interface PoolChoice {
  /** Any reference: a path, or `file:`, `hf:`, `https:`, `oci:`, `ollama:`. */
  readonly model?: string
  readonly engine?: string
  readonly engineUrl?: string
  readonly pools?: string
}

/** What there is on this machine to run a model with. */
export interface Surroundings {
  readonly ollama?: OllamaFound | undefined
  /** Paths of programs. */
  readonly ollamaPath?: string | undefined
  readonly llamaServerPath?: string | undefined
  readonly vllmPath?: string | undefined
  /** The newest GGUF file that was kept here. */
  readonly keptModel?: string | undefined
}

/** The engine of the pool that `up` makes. */
export interface EngineChoice {
  readonly engine: 'embedded' | 'llamacpp' | 'ollama' | 'vllm'
  /** As `model` in the pools file, a path not made absolute; absent: the tiny one. */
  readonly model?: string
  /** A server that runs already. */
  readonly url?: string
  /** The program that was found. */
  readonly program?: string
  /** Why this one, for people. */
  readonly why: string
}

/** Why no engine can be chosen, and what to do. */
export interface NoChoice {
  readonly exit: 'usage' | 'missingDependency'
  readonly problem: string
  readonly next: string
}

/** The engine for `up` without `--engine`: by the reference, else by what is there. */
export const chooseEngine = (
  model: string | undefined,
  around: Surroundings,
): EngineChoice | NoChoice => {
  if (model === undefined) return chooseByPresence(around)
  const { scheme, rest } = splitRef(model)
  if (scheme === 'ollama') return chooseOllama(rest, around) ?? chooseGguf(model, around)
  if (scheme === 'hf' && !namesGguf(rest)) return chooseVllm(model, around)
  return chooseGguf(model, around)
}

/** Nobody said what to run: what is there and has a model, in this order. */
const chooseByPresence = (around: Surroundings): EngineChoice => {
  const { ollama, llamaServerPath, keptModel } = around
  const [first] = ollama?.models ?? []
  if (ollama && first !== undefined) {
    const why = `Ollama ${ollama.version} answers at ${ollama.url} and has ${first}`
    return { engine: 'ollama', model: first, url: ollama.url, why }
  }
  const noOllama = ollama ? `the Ollama at ${ollama.url} has no model` : 'no Ollama answers'
  if (llamaServerPath !== undefined && keptModel !== undefined) {
    const why = `${noOllama}; ${llamaServerPath} is there, and ${keptModel}`
    return { engine: 'llamacpp', model: keptModel, program: llamaServerPath, why }
  }
  const noServer =
    llamaServerPath === undefined ? 'no llama-server is on PATH' : 'llama-server has no model here'
  return { engine: 'embedded', why: `${noOllama} and ${noServer}` }
}

const chooseGguf = (model: string, { llamaServerPath }: Surroundings): EngineChoice =>
  llamaServerPath === undefined
    ? { engine: 'embedded', model, why: 'it reads GGUF files, and no llama-server is on PATH' }
    : {
        ...{ engine: 'llamacpp', model, program: llamaServerPath },
        why: `${llamaServerPath} reads GGUF files`,
      }

/** For a name of Ollama's; `undefined` when neither a daemon nor its program is there. */
export const chooseOllama = (
  model: string,
  { ollama, ollamaPath }: Surroundings,
): EngineChoice | undefined => {
  if (ollama) {
    const why = `Ollama ${ollama.version} answers at ${ollama.url}`
    return { engine: 'ollama', model, url: ollama.url, why }
  }
  if (ollamaPath === undefined) return undefined
  const why = `no Ollama answers; ${ollamaPath} is started for it`
  return { engine: 'ollama', model, program: ollamaPath, why }
}

const chooseVllm = (model: string, { vllmPath }: Surroundings): EngineChoice | NoChoice =>
  vllmPath === undefined
    ? {
        exit: 'missingDependency',
        problem: `${model} names no GGUF file: of the engines Berth runs, vLLM reads what it holds, and no vllm is on PATH.`,
        next: 'Install vLLM on this host, or name a GGUF repository or file: --model hf:ORG/NAME-GGUF:Q4_K_M',
      }
    : { engine: 'vllm', model, program: vllmPath, why: `${vllmPath} reads safetensors` }

/** A repository says so in its name, or the reference picks a file or a quantization of it. */
const namesGguf = (rest: string): boolean =>
  /gguf/i.test(rest) || /:(?:.*\.gguf|[a-z]*q\d\w*|b?f16|f32)$/i.test(rest)

/** The scheme of a reference, empty for a plain path or name. */
export const splitRef = (ref: string): { readonly scheme: string; readonly rest: string } => {
  const [, scheme = '', rest = ref] = /^(hf|file|https|oci|ollama):(.*)$/s.exec(ref) ?? []
  return { scheme, rest }
}
