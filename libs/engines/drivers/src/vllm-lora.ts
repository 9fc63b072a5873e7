import type { CallSign, EngineSpec, ListedModel, ModelCalls } from '@berth/supervision'
import { isObject, readObject } from './read-json.ts'

/** An adapter is read and put beside the weights; a big one over a slow disk takes a while. */
const LOAD_TIMEOUT_MS = 300_000
const UNLOAD_TIMEOUT_MS = 60_000
const JSON_MAX_CHARS = 1_024

/** Adapters come to and go from a vLLM that was started with `enable_lora`. */
export const vllmModelCalls = ({ options }: EngineSpec): ModelCalls | undefined =>
  options.enable_lora === true ? ADAPTER_CALLS : undefined

/** The calls themselves. */
export const ADAPTER_CALLS: ModelCalls = {
  load: (modelId, { source }) => ({
    method: 'POST',
    path: '/v1/load_lora_adapter',
    body: JSON.stringify({ lora_name: modelId, lora_path: source ?? modelId }),
    timeoutMs: LOAD_TIMEOUT_MS,
  }),
  unload: (modelId) => ({
    method: 'POST',
    path: '/v1/unload_lora_adapter',
    body: JSON.stringify({ lora_name: modelId }),
    timeoutMs: UNLOAD_TIMEOUT_MS,
  }),
  residentPath: '/v1/models',
  readResident: (body) => readServed(body),
  readLine: (line, status) => readAnswerLine(line, status),
}

/** Every model of `/v1/models`; adapters name the model they belong to. */
const readServed = (body: string): readonly ListedModel[] | undefined => {
  const data = readObject(body)?.data
  if (!Array.isArray(data)) return undefined
  return data.filter(isObject).flatMap(({ id, parent, max_model_len: length }): ListedModel[] =>
    typeof id === 'string'
      ? [
          {
            modelId: id,
            ...(typeof parent === 'string' ? { parentModelId: parent } : {}),
            ...(typeof length === 'number' ? { contextLength: length } : {}),
          },
        ]
      : [],
  )
}

/** It answers with a sentence, or with an error as every route does. */
const readAnswerLine = (line: string, status: number): CallSign | undefined => {
  if (line.trim() === '') return undefined
  if (status === 200) return { kind: 'done' }
  const said = messageOf(line)
  // Loaded before is loaded: the adapter is there, as was asked.
  if (/already (?:been )?loaded/i.test(said)) return { kind: 'done' }
  const isMissing = /not found|No such file|No adapter|does not exist/i.test(said)
  return {
    kind: 'failed',
    report: {
      kind: isMissing ? 'model_not_found' : 'model_invalid',
      message: `vLLM does not take the adapter: "${said}". ${isMissing ? LOOK : FITS}`,
      isRetriable: false,
    },
  }
}

const LOOK = 'Check that its folder is on this host and readable for the engine.'
const FITS = 'Check that it belongs to this model, and max_lora_rank and max_loras of the pool.'

/** `{"error":{"message"}}`, before 0.10 `{"message"}`. */
const messageOf = (line: string): string => {
  const answer = readObject(line)
  const error = answer?.error
  const message = isObject(error) ? error.message : (answer?.message ?? answer?.detail)
  return (typeof message === 'string' ? message : line).slice(0, JSON_MAX_CHARS / 4)
}
