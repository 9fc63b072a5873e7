import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

// node-llama-cpp is installed apart from the workspace, so its types are not here. These
// are the parts of 3.22.1 that the engine uses.

export type Token = number

/** A piece of a prompt that knows which of its parts are control tokens and which are text. */
export interface LlamaText {
  tokenize(tokenizer: unknown): Token[]
  toString(): string
}

export type ChatItem =
  | { readonly type: 'system' | 'user'; readonly text: string }
  | { readonly type: 'model'; readonly response: readonly string[] }

export interface ChatWrapper {
  readonly wrapperName: string
  generateContextState(options: { chatHistory: readonly ChatItem[] }): {
    contextText: LlamaText
    stopGenerationTriggers: readonly LlamaText[]
  }
}

export interface Sampling {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  /** Unsigned, 32 bits. */
  readonly seed: number
}

export interface TokenBias {
  readonly _biases: Map<Token, number>
}

export interface LlamaSequence {
  clearHistory(): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: readonly Token[]): Promise<void>
  evaluate(
    tokens: readonly Token[],
    options: Sampling & { tokenBias?: TokenBias; yieldEogToken?: boolean },
  ): AsyncGenerator<Token, void>
}

export interface BatchItem {
  readonly tokens: readonly Token[]
}

export interface LlamaContext {
  readonly contextSize: number
  getSequence(): LlamaSequence
}

export interface LlamaEmbeddingContext {
  getEmbeddingFor(tokens: readonly Token[]): Promise<{ readonly vector: readonly number[] }>
}

export interface LlamaModel {
  readonly tokenizer: unknown
  readonly size: number
  readonly trainContextSize: number
  readonly embeddingVectorSize: number
  readonly typeDescription: string
  readonly fileInfo: {
    readonly metadata: {
      readonly general?: { readonly file_type?: number; readonly name?: string }
      readonly tokenizer?: {
        readonly chat_template?: string
        readonly ggml?: { readonly tokens?: readonly string[] }
      }
    }
  }
  readonly tokens: {
    readonly bos: Token | null
    readonly bosString: string | null
    readonly eosString: string | null
    readonly shouldPrependBosToken: boolean
  }
  tokenize(text: string, specialTokens?: boolean): Token[]
  detokenize(tokens: readonly Token[], special?: boolean, last?: readonly Token[]): string
  isEogToken(token: Token): boolean
  iterateAllTokens(): Iterable<Token>
  createContext(options: {
    contextSize: number
    sequences: number
    threads: number
    batchSize: number
    batching: { itemPrioritizationStrategy?: PickBatch }
  }): Promise<LlamaContext>
  createEmbeddingContext(options: {
    contextSize: number
    threads: number
    batchSize: number
  }): Promise<LlamaEmbeddingContext>
}

export type PickBatch = (queued: {
  readonly items: readonly BatchItem[]
  readonly size: number
}) => { item: BatchItem; processAmount: number }[]

export interface LlamaLibrary {
  getLlama(options: {
    gpu: 'auto' | false
    build: 'never'
    maxThreads: number
    logLevel: 'warn'
    logger: (level: string, message: string) => void
  }): Promise<{
    loadModel(options: {
      modelPath: string
      /** 0 to 1. */
      onLoadProgress(share: number): void
    }): Promise<LlamaModel>
  }>
  resolveChatWrapper(model: LlamaModel, options: { warningLogs: boolean }): ChatWrapper
  readonly TokenBias: { for(model: LlamaModel): TokenBias }
}

/** Loads node-llama-cpp from `runtimeDir`/node_modules. Throws when it is not there. */
export const importLlama = async (runtimeDir: string): Promise<LlamaLibrary> => {
  const entry = join(packageIn(runtimeDir), 'dist', 'index.js')
  return (await import(pathToFileURL(entry).href)) as LlamaLibrary
}

/** Which node-llama-cpp is in `runtimeDir`. Throws when it is not there. */
export const readLlamaVersion = async (runtimeDir: string): Promise<string> => {
  const text = await readFile(join(packageIn(runtimeDir), 'package.json'), 'utf8')
  const { version } = JSON.parse(text) as { readonly version: string }
  return `node-llama-cpp ${version}`
}

const packageIn = (runtimeDir: string) => join(runtimeDir, 'node_modules', 'node-llama-cpp')
