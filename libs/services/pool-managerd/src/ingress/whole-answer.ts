import { createEventCutter, dataOf } from './cut-events.ts'
import { mergeDelta } from './merge-delta.ts'
import { asObject, readObject, usageOf, type Json } from './read-chunk.ts'
import type { Usage } from './usage-tail.ts'

/** What a stream came to, as one body. */
export interface WholeAnswer {
  readonly status: number
  readonly body: Json
}

/** Makes one answer of the chunks of a stream. */
export interface AnswerBuilder {
  push(piece: Buffer): void
  /** Undefined for a stream that broke off before its answer was whole. */
  end(): WholeAnswer | undefined
  /** What the engine counted. */
  read(): Usage | undefined
}

/** Of one stream; an answer of the longest context with every probability is far below. */
const STREAM_MAX_BYTES = 134_217_728

type Grown = Record<string, unknown>

/**
 * The answer an engine would have given without `stream`, from what it streams: for engines that
 * notice only of a stream that nobody waits for it (llama-server). An error in the middle is the
 * answer, under its own status: nothing was sent before it.
 */
export const createAnswerBuilder = (): AnswerBuilder => {
  const cutter = createEventCutter()
  const head: Grown = {}
  const choices = new Map<number, Grown>()
  let usage: Usage | undefined
  let error: WholeAnswer | undefined
  let isDone = false
  let bytes = 0

  const take = (event: Buffer) => {
    const data = dataOf(event)
    if (data === '[DONE]') isDone = true
    const chunk = readObject(data)
    if (!chunk) return
    if (chunk['error'] !== undefined) error ??= failed(chunk)
    usage = usageOf(chunk) ?? usage
    takeHead(head, chunk)
    for (const choice of listOf(chunk['choices'])) takeChoice(choices, choice)
  }
  return {
    push: (piece) => {
      if ((bytes += piece.length) <= STREAM_MAX_BYTES) cutter.push(piece).forEach(take)
    },
    end: () => {
      take(cutter.rest())
      if (error) return error
      const all = [...choices.values()]
      const isWhole = isDone || (all.length > 0 && all.every(isFinished))
      if (bytes > STREAM_MAX_BYTES || !isWhole) return undefined
      return { status: 200, body: { ...head, choices: finished(choices) } }
    },
    read: () => usage,
  }
}

const isFinished = ({ finish_reason: reason }: Json) => typeof reason === 'string'

const failed = (chunk: Json): WholeAnswer => {
  const { code } = asObject(chunk['error']) ?? {}
  const isStatus = typeof code === 'number' && code >= 400 && code <= 599
  return { status: isStatus ? code : 500, body: chunk }
}

/** The first chunk says which answer it is; what comes once, as usage, comes later. */
const takeHead = (head: Grown, { choices: _, ...fields }: Json) => {
  for (const [name, value] of Object.entries(fields)) {
    if (name === '__proto__') continue
    if (name === 'object') head[name] ??= String(value).replace(/\.chunk$/, '')
    else if (name === 'id' || name === 'created' || name === 'model') head[name] ??= value
    else if (value !== null || !(name in head)) head[name] = value
  }
  if (head['usage'] === null) delete head['usage']
}

const takeChoice = (choices: Map<number, Grown>, choice: Json) => {
  const index = typeof choice['index'] === 'number' ? choice['index'] : 0
  const known: Grown = choices.get(index) ?? { index }
  choices.set(index, known)
  const { delta, index: _, ...fields } = choice
  const message = asObject(delta)
  if (message) mergeDelta(((known['message'] as Grown | undefined) ??= newMessage()), message)
  mergeDelta(known, fields)
}

const newMessage = (): Grown => ({ role: 'assistant', content: null })

const finished = (choices: ReadonlyMap<number, Grown>): Json[] =>
  [...choices]
    .sort(([a], [b]) => a - b)
    .map(([, choice]) => {
      const message = asObject(choice['message'])
      return message ? { ...choice, message: finishedMessage(message) } : choice
    })

/** A message that calls nothing says something, be it nothing; places in a stream are none here. */
const finishedMessage = (message: Json): Json => {
  const calls = listOf(message['tool_calls'])
  if (calls.length > 0)
    return { ...message, tool_calls: calls.map(({ index: _, ...call }) => call) }
  const isSilent = message['content'] === null && !message['function_call'] && !message['refusal']
  return isSilent ? { ...message, content: '' } : message
}

const listOf = (value: unknown): Json[] =>
  Array.isArray(value) ? value.map(asObject).filter((entry) => entry !== undefined) : []
