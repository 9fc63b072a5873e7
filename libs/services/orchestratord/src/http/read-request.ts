import { parseModelId, type BerthError, type ModelId } from '@berth/kernel'
import { countAnswers } from './count-answers.ts'
import { invalidParam } from './error-envelope.ts'
import { findJsonFault, MAX_JSON_DEPTH, nestsTooDeep } from './json-fault.ts'
import { readPrompt, type Prompt } from './prompt.ts'
import { readSeed } from './read-seed.ts'

/** All that Berth wants to know of a body. The rest is between the client and the engine. */
export interface RequestFacts {
  readonly modelId: ModelId
  readonly isStream: boolean
  /** 0: not given. */
  readonly maxTokens: number
  /** Answers it asks for, each of up to `maxTokens`; at least 1. */
  readonly answers: number
  /** Undefined where the prompt cannot be told from the rest. */
  readonly prompt: Prompt | undefined
  /** Of a strict job, when the client gave one. */
  readonly seed: bigint | undefined
}

export interface RequestShape {
  /** Such as `/v1/chat/completions`. */
  readonly route: string
  /** The seed matters, so it must be one. */
  readonly isStrict: boolean
}

/** Throws `INVALID_PARAMS` that names the position or the field. */
export const readRequest = (bytes: Uint8Array, shape: RequestShape): RequestFacts => {
  const { text, body } = parseObject(bytes)
  refuseLookalikes(body)
  const { model, stream, max_tokens, max_completion_tokens } = body
  if (model === undefined || model === null || model === '')
    throw invalidParam('model', 'The field model is missing. GET /v1/models lists what is served.')
  if (typeof model !== 'string') throw invalidParam('model', 'The field model must be a string.')
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean')
    throw invalidParam('stream', 'The field stream must be true or false.')
  return {
    modelId: toModelId(model),
    isStream: stream === true,
    maxTokens: toCount(max_completion_tokens) || toCount(max_tokens),
    answers: countAnswers(shape.route, body),
    prompt: readPrompt(shape.route, body),
    seed: shape.isStrict ? readSeed(body['seed'], text) : undefined,
  }
}

/** What decides who may send a request and what it is charged. */
const DECIDING = ['model', 'stream', 'max_tokens', 'max_completion_tokens', 'n', 'best_of']

/**
 * Engines written in Go take `Model` for `model`, whatever Berth read: one key's model could be
 * asked for in the name of another.
 */
const refuseLookalikes = (body: Readonly<Record<string, unknown>>) => {
  for (const key of Object.keys(body)) {
    // Upper case first: so do the long s and the sign of Kelvin become their letters.
    const name = key.toUpperCase().toLowerCase()
    if (name === key || !DECIDING.includes(name)) continue
    throw invalidParam(key, `Some engines read the field ${key} as ${name}. Send ${name}.`)
  }
}

/** A body as an object, and its text. Throws `INVALID_PARAMS` that names the position. */
export const parseObject = (bytes: Uint8Array) => {
  if (nestsTooDeep(bytes))
    throw invalidParam('body', `The body nests deeper than ${MAX_JSON_DEPTH} levels.`)
  const text = decode(bytes)
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidParam('body', 'The body must be a JSON object.')
  return { text, body: value as Record<string, unknown> }
}

const decode = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw invalidParam('body', 'The body is not valid UTF-8.')
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw notJson(text)
  }
}

const notJson = (text: string): BerthError => {
  if (text.trim() === '')
    return invalidParam('body', 'The body is empty: position 0, expected a JSON object.')
  const position = findJsonFault(text)?.position ?? text.length
  const before = text.slice(0, position).split('\n')
  const where = `position ${position} (line ${before.length}, column ${before.at(-1)!.length + 1})`
  const what = position >= text.length ? 'it ends too early' : 'unexpected character'
  return invalidParam('body', `The body is not valid JSON: ${what} at ${where}.`)
}

const toModelId = (model: string): ModelId => {
  try {
    return parseModelId(model)
  } catch (error) {
    throw invalidParam('model', (error as Error).message)
  }
}

const UINT32_MAX = 2 ** 32 - 1

/** Only a hint for placement: what is no sensible number is for the engine to refuse. */
const toCount = (value: unknown): number =>
  Number.isInteger(value) && (value as number) > 0 ? Math.min(value as number, UINT32_MAX) : 0
