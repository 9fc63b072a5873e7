import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  embeddedPool,
  findLlamaServer,
  llamacppPool,
  simPool,
  type PoolEntry,
} from '@berth/test-support'
import type { EngineSpec } from '@berth/supervision'
import { startBareEngine } from './bare-engine.ts'

/** An engine as the suite runs it, or why it does not. */
export type EngineCase = { readonly name: string } & (
  | {
      readonly isThere: true
      readonly model: string
      /** What it does with a prompt that is longer than its context. */
      readonly longPrompt: 'refused' | 'cut'
      /** What was started besides is ended with the stack. */
      pool(stack: AsyncDisposableStack): Promise<PoolEntry>
    }
  | { readonly isThere: false; readonly reason: string }
)

/** Tokens of one slot, in every pool. */
export const CONTEXT_TOKENS = 1_024
export const SLOTS = 2

/** Every engine there is a dialect for, and every real one this machine has. */
export const engineCases = (): readonly EngineCase[] => [
  sim('vllm', 'refused'),
  sim('llamacpp', 'refused'),
  sim('ollama', 'cut'),
  {
    ...{ name: 'embedded', isThere: true, model: 'berth-tiny', longPrompt: 'refused' },
    pool: () =>
      Promise.resolve(embeddedPool('embedded', { slots: SLOTS, context_length: CONTEXT_TOKENS })),
  },
  llamaServer(),
  foreignLlamaServer('external'),
  foreignLlamaServer('monitored'),
  onPath('ollama', 'BERTH_OLLAMA_MODEL'),
  onPath('vllm', 'BERTH_VLLM_MODEL'),
]

const sim = (dialect: string, longPrompt: 'refused' | 'cut'): EngineCase => ({
  ...{ name: `sim(${dialect})`, isThere: true, model: `sim-${dialect}`, longPrompt },
  pool: async () => {
    const knobs = { dialect, tokens_per_s: 400, cancel_poll_ms: 50, embeddings: true }
    const made = await simPool(`sim-${dialect}`, { model: `sim-${dialect}`, slots: SLOTS, knobs })
    return { ...made, entry: { ...made.entry, context_length: CONTEXT_TOKENS } }
  },
})

// The tiny model has no pooling of its own.
const EMBEDDING = { embeddings: true, pooling: 'mean' }
const NO_LLAMA_SERVER = 'there is none: see tools/llama-server'

const llamaServer = (): EngineCase => {
  const program = findLlamaServer()
  if (program === undefined)
    return { name: 'llama-server', isThere: false, reason: NO_LLAMA_SERVER }
  const settings = {
    modelId: 'real-tiny',
    slots: SLOTS,
    options: EMBEDDING,
    more: { context_length: CONTEXT_TOKENS },
  }
  return {
    ...{ name: 'llama-server', isThere: true, model: 'real-tiny', longPrompt: 'refused' },
    pool: () => Promise.resolve(llamacppPool(program, 'llama-server', settings)),
  }
}

/** One that the agent did not start. */
const foreignLlamaServer = (mode: 'external' | 'monitored'): EngineCase => {
  const name = `llama-server, ${mode}`
  const program = findLlamaServer()
  if (program === undefined) return { name, isThere: false, reason: NO_LLAMA_SERVER }
  const spec: EngineSpec = {
    ...{ engine: 'llamacpp', mode: 'managed', modelId: 'real-tiny', slots: SLOTS },
    ...{ contextLength: CONTEXT_TOKENS, options: EMBEDDING, binaryPath: program },
    shutdownGraceMs: 5_000,
  }
  return {
    ...{ name, isThere: true, model: 'real-tiny', longPrompt: 'refused' },
    pool: async (stack) => {
      const { access, untilReady } = stack.use(await startBareEngine(spec))
      await untilReady()
      const key = access.headers['authorization']!.replace('Bearer ', '')
      const entry = { id: mode, engine: 'llamacpp', mode, model: 'real-tiny', slots: SLOTS }
      const more = { url: access.baseUrl, engine_options: { api_key: key } }
      return { entry: { ...entry, ...more, context_length: CONTEXT_TOKENS } }
    },
  }
}

/** A real engine whose model the machine has to have: nothing is fetched. */
const onPath = (engine: 'ollama' | 'vllm', variable: string): EngineCase => {
  const program = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, engine))
    .find(canRun)
  const model = process.env[variable]
  if (program === undefined) return { name: engine, isThere: false, reason: `no ${engine} on PATH` }
  if (model === undefined)
    return { name: engine, isThere: false, reason: `${variable} names no model that is here` }
  return {
    ...{ name: engine, isThere: true, model: 'real', longPrompt: 'refused' },
    pool: () =>
      Promise.resolve({
        entry: {
          ...{ id: engine, engine, model, model_id: 'real', slots: SLOTS },
          context_length: CONTEXT_TOKENS,
          lifecycle: { binary_path: program },
        },
      }),
  }
}

const canRun = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not ours to run.
    return false
  }
}
