import type { ServerResponse } from 'node:http'
import type { AnswerIdentity, CompletionBody } from './completion-body.ts'
import { generate, type Generated, type Job } from './generate.ts'
import { badRequest, contextExceeded, QUEUE_FULL, sendProblem, STOPPING } from './http-answer.ts'
import { planJob } from './plan-job.ts'
import type { CompletionRequest, Read } from './read-completion.ts'
import type { ReadyEngine } from './ready-engine.ts'
import type { Slot } from './slots.ts'
import { streamWriter, wholeWriter, type AnswerWriter } from './write-answer.ts'

export interface CompletionRoute {
  readonly readRequest: (body: unknown) => Read<CompletionRequest>
  readonly createBody: (identity: AnswerIdentity) => CompletionBody
}

export interface Exchange {
  readonly response: ServerResponse
  readonly body: unknown
  /** Aborts when the client is gone or the engine stops. */
  readonly signal: AbortSignal
}

/** Answers a completion, streamed or whole. Resolves when the slot is free again. */
export const serveCompletion = async (
  ready: ReadyEngine,
  route: CompletionRoute,
  exchange: Exchange,
): Promise<void> => {
  const { response, signal } = exchange
  const read = route.readRequest(exchange.body)
  if (!read.ok) return sendProblem(response, badRequest(read.problem))
  const planned = planJob(ready.engine, read.value, ready.randomSeed)
  if (planned.kind === 'bad_tokens')
    return sendProblem(response, badRequest("'prompt': the model has no such token"))
  if (planned.kind === 'too_long')
    return sendProblem(response, contextExceeded(planned.promptTokens, ready.engine.contextTokens))
  const acquired = await ready.slots.acquire(signal)
  switch (acquired.kind) {
    case 'gone':
      return
    case 'full':
      return sendProblem(response, QUEUE_FULL)
    case 'closed':
      return sendProblem(response, STOPPING)
    case 'slot': {
      const body = route.createBody({ ...ready.identify(), model: ready.engine.alias })
      return answer(ready, {
        slot: acquired.slot,
        job: planned.job,
        signal,
        writer: read.value.isStream
          ? streamWriter(response, body, { hasUsageChunk: read.value.hasUsageChunk, signal })
          : wholeWriter(response, body),
      })
    }
  }
}

interface Work {
  readonly slot: Slot
  readonly job: Job
  readonly signal: AbortSignal
  readonly writer: AnswerWriter
}

const answer = async (ready: ReadyEngine, { slot, job, signal, writer }: Work): Promise<void> => {
  slot.task = {
    id: ready.nextTaskId(),
    params: { ...job.sampling },
    promptTokens: job.prompt.length,
    maxTokens: job.maxTokens,
    promptTokensDone: 0,
    decodedTokens: 0,
  }
  const { engine, now } = ready
  let generated: Generated
  try {
    generated = await generate(job, { engine, slot, signal, now, onText: writer.text })
  } catch (error) {
    writer.fail()
    throw error
  } finally {
    // Before the client sees the end, so that its next request finds the slot free.
    ready.slots.release(slot)
  }
  ready.counters.add(generated)
  if (generated.finishReason !== 'aborted') writer.end(generated)
}
