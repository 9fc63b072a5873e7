import { access } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { messageOf } from '@berth/kernel'
import type { EngineOptions } from './flags.ts'
import { importLlama, readLlamaVersion } from './llama-runtime.ts'
import type {
  ChatWrapper,
  LlamaEmbeddingContext,
  LlamaModel,
  LlamaSequence,
  PickBatch,
  Token,
  TokenBias,
} from './llama-runtime.ts'

/** A model in memory with the contexts its slots need. */
export interface Engine {
  readonly model: LlamaModel
  readonly chat: ChatWrapper
  readonly sequences: readonly LlamaSequence[]
  readonly embeddings: LlamaEmbeddingContext | undefined
  /** Of the library that computes, such as `node-llama-cpp 3.22.1`. */
  readonly version: string
  /** The id in `/v1/models`. */
  readonly alias: string
  readonly contextTokens: number
  /** How many prompt tokens are evaluated between two looks at whether the client is still there. */
  readonly promptChunkTokens: number
  /** Rules out every token that ends an answer. */
  neverEnding(): TokenBias
}

/**
 * Loads the model. Rejects with an `Error` that says what is wrong with the file; what llama.cpp
 * has to say goes to `log`, line by line.
 */
export const loadEngine = async (
  options: EngineOptions,
  log: (line: string) => void,
): Promise<Engine> => {
  await access(options.modelPath).catch(() => {
    throw new Error(`failed to open GGUF file '${options.modelPath}' (No such file or directory)`)
  })
  const library = await importLlama(options.runtimeDir).catch((cause: unknown) => {
    throw new Error(`node-llama-cpp is not installed in ${options.runtimeDir}`, { cause })
  })
  const firstError = Promise.withResolvers<string>()
  const llama = await library.getLlama({
    gpu: options.gpu,
    build: 'never',
    maxThreads: 0, // so that --threads is taken as it is
    logLevel: 'warn',
    logger: (level, message) => {
      log(`llama ${level}: ${message.trim()}`)
      if (level === 'error') firstError.resolve(message.trim())
    },
  })
  const model = await llama
    .loadModel({ modelPath: options.modelPath, onLoadProgress: tellInSteps(log) })
    .catch(async (cause: unknown) => {
      // The library says only that it failed; why comes by its log, a moment before or after.
      const reason = await Promise.race([firstError.promise, setTimeout(LOG_DELAY_MS, '')])
      throw new Error([messageOf(cause), reason].filter(Boolean).join(': '), { cause })
    })
  const contextSize = options.contextTokens ?? Math.min(model.trainContextSize, DEFAULT_CONTEXT)
  const promptChunkTokens = options.gpu === false ? CPU_CHUNK : GPU_CHUNK
  const context = await model.createContext({
    contextSize,
    sequences: options.slots,
    threads: options.threads,
    batchSize: promptChunkTokens,
    batching: options.batching === 'exact' ? { itemPrioritizationStrategy: oneAtATime } : {},
  })
  const embeddings = options.hasEmbeddings
    ? // An embedding needs its whole input in one batch.
      await model.createEmbeddingContext({ ...options, contextSize, batchSize: contextSize })
    : undefined
  return {
    model,
    chat: library.resolveChatWrapper(model, { warningLogs: false }),
    sequences: Array.from({ length: options.slots }, () => context.getSequence()),
    embeddings,
    version: await readLlamaVersion(options.runtimeDir),
    alias: options.alias ?? basename(options.modelPath),
    contextTokens: context.contextSize,
    promptChunkTokens,
    neverEnding: neverEnding(model, () => library.TokenBias.for(model)),
  }
}

const DEFAULT_CONTEXT = 4096
const TOLD_PERCENT = 5

/** A line for every few percent of the weights that are read. */
const tellInSteps = (log: (line: string) => void) => {
  let told = 0
  return (share: number): void => {
    const percent = Math.floor(share * 100)
    if (percent < told + TOLD_PERCENT) return
    told = percent
    log(`loading weights: ${percent} %`)
  }
}
const LOG_DELAY_MS = 500
// A chunk cannot be cancelled, and one processor needs seconds for 512 tokens of a real model.
const CPU_CHUNK = 64
const GPU_CHUNK = 512

/**
 * A batch with several sequences is computed in another order than one alone, and floating point
 * sums differ with the order: the same seed would give other words when a neighbour is busy.
 * Measured: 7 of 16 answers differed with batches shared, none this way.
 */
const oneAtATime: PickBatch = ({ items, size }) =>
  items.slice(0, 1).map((item) => ({ item, processAmount: Math.min(size, item.tokens.length) }))

const neverEnding = (model: LlamaModel, createBias: () => TokenBias) => {
  let ends: readonly Token[] | undefined
  return (): TokenBias => {
    ends ??= [...model.iterateAllTokens()].filter((token) => model.isEogToken(token))
    const bias = createBias()
    // `TokenBias.set` refuses tokens that end an answer, which are the very ones meant here.
    for (const token of ends) bias._biases.set(token, -Infinity)
    return bias
  }
}
