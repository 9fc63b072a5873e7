import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  countTokens,
  expectedAnswer,
  promptHash,
  type Answer,
  type AnswerRequest,
} from '@berth/sim-text'
import { endAtStop } from './end-at-stop.ts'
import type { Engine } from './engine.ts'
import type { RequestRecord } from './request-log.ts'

/** What a route read from a generation request. */
export interface Ask {
  readonly model: string
  readonly prompt: string
  readonly seed: number
  readonly maxTokens: number | undefined
  readonly ignoresEos: boolean
  readonly isStream: boolean
  readonly includesUsage: boolean
  /** Texts the answer ends before. */
  readonly stops?: readonly string[]
}

/** A generation request on its way through the engine. */
export interface Job {
  readonly id: string
  readonly createdS: number
  readonly arrivedAtMs: number
  readonly ask: Ask
  readonly answer: Answer
  readonly promptTokens: number
  readonly record: RequestRecord
  readonly response: ServerResponse
  readonly signal: AbortSignal
  slot: number | undefined
  firstTokenAtMs: number | undefined
  isClientGone: boolean
  /** Ends the work on it: no more tokens, its slot is free. */
  abort(): void
}

export const createJob = (
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  ask: Ask,
): Job => {
  const controller = new AbortController()
  const seq = ++engine.counters.requests
  const id = promptHash(`${engine.host.pid} ${engine.startedAtMs} ${seq}`)
  const answer = endAtStop(expectedAnswer(answerRequest(engine, ask)), ask.stops ?? [])
  const record: RequestRecord = {
    seq,
    id,
    correlation_id: textOf(request.headers['x-correlation-id']),
    route: request.url?.split('?')[0] ?? '',
    model: ask.model,
    prompt_hash: promptHash(ask.prompt),
    seed: ask.seed,
    stream: ask.isStream,
    tokens_planned: answer.length,
    tokens_sent: 0,
    outcome: 'queued',
  }
  engine.log.add(record)
  return {
    id,
    createdS: Math.floor(Date.now() / 1000),
    arrivedAtMs: performance.now(),
    ask,
    answer,
    promptTokens: countTokens(ask.prompt),
    record,
    response,
    signal: controller.signal,
    slot: undefined,
    firstTokenAtMs: undefined,
    isClientGone: false,
    abort: () => controller.abort(),
  }
}

const answerRequest = (engine: Engine, ask: Ask): AnswerRequest => ({
  engineSeed: engine.knobs.seed,
  requestSeed: ask.seed,
  prompt: ask.prompt,
  maxTokens: ask.maxTokens,
  ignoresEos: ask.ignoresEos,
  contextTokens: engine.knobs.ctx,
})

const textOf = (header: string | string[] | undefined): string | null =>
  (Array.isArray(header) ? header[0] : header) ?? null
