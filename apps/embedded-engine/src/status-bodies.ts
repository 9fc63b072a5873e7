import { vocabularySize } from './plan-job.ts'
import type { ReadyEngine } from './ready-engine.ts'
import type { Slot } from './slots.ts'

/** `/v1/models`. */
export const modelsBody = ({ engine, identify }: ReadyEngine) => ({
  object: 'list',
  data: [
    {
      id: engine.alias,
      object: 'model',
      aliases: [engine.alias],
      tags: [],
      created: identify().created,
      owned_by: 'llamacpp',
      meta: {
        n_vocab: vocabularySize(engine),
        n_ctx: engine.contextTokens,
        n_ctx_train: engine.model.trainContextSize,
        n_embd: engine.model.embeddingVectorSize,
        size: engine.model.size,
      },
    },
  ],
})

/** `/props`. */
export const propsBody = ({ engine, slots }: ReadyEngine, modelPath: string) => ({
  default_generation_settings: {
    params: { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, seed: -1, max_tokens: -1 },
    n_ctx: engine.contextTokens,
  },
  total_slots: slots.all.length,
  model_path: modelPath,
  model_alias: engine.alias,
  model_ftype: engine.model.typeDescription,
  modalities: { vision: false, audio: false },
  chat_template: engine.model.fileInfo.metadata.tokenizer?.chat_template ?? '',
  bos_token: engine.model.tokens.bosString ?? '',
  eos_token: engine.model.tokens.eosString ?? '',
  endpoint_slots: true,
  endpoint_props: false,
  endpoint_metrics: true,
  version: engine.version,
  build_info: `berth embedded engine, ${engine.chat.wrapperName} chat format`,
  is_sleeping: false,
})

/** `/slots`. */
export const slotsBody = ({ engine, slots }: ReadyEngine) =>
  slots.all.map((slot) => slotBody(slot, engine.contextTokens))

const slotBody = ({ id, task }: Slot, contextTokens: number) => {
  const idle = { id, n_ctx: contextTokens, speculative: false, is_processing: task !== undefined }
  if (task === undefined) return idle
  return {
    ...idle,
    id_task: task.id,
    n_prompt_tokens: task.promptTokens,
    n_prompt_tokens_processed: task.promptTokensDone,
    n_prompt_tokens_cache: 0,
    params: task.params,
    next_token: [
      {
        has_next_token: task.decodedTokens < task.maxTokens,
        n_decoded: task.decodedTokens,
        n_remain: task.maxTokens - task.decodedTokens,
      },
    ],
  }
}
