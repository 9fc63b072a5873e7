import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  embeddedPool,
  findLlamaServer,
  llamacppPool,
  simPool,
  type PoolEntry,
} from '@berth/test-support'

/** An engine as the suite runs it, or why it does not. */
export type EngineCase = { readonly name: string } & (
  | {
      readonly isThere: true
      readonly model: string
      /** What it does with a prompt that is longer than its context. */
      readonly longPrompt: 'refused' | 'cut'
      pool(): Promise<PoolEntry>
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

const llamaServer = (): EngineCase => {
  const program = findLlamaServer()
  if (program === undefined)
    return { name: 'llama-server', isThere: false, reason: 'there is none: see tools/llama-server' }
  const settings = {
    modelId: 'real-tiny',
    slots: SLOTS,
    // Its own answer to a model that has no pooling of its own.
    options: { embeddings: true, pooling: 'mean' },
    more: { context_length: CONTEXT_TOKENS },
  }
  return {
    ...{ name: 'llama-server', isThere: true, model: 'real-tiny', longPrompt: 'refused' },
    pool: () => Promise.resolve(llamacppPool(program, 'llama-server', settings)),
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
