import type { Engine } from './load-engine.ts'
import type { Sampling, Token } from './llama-runtime.ts'
import type { Slot, SlotTask } from './slots.ts'
import { createStopText } from './stop-text.ts'

export interface Job {
  readonly prompt: readonly Token[]
  /** At most what the context holds beside the prompt. */
  readonly maxTokens: number
  readonly sampling: Sampling
  readonly stopTexts: readonly string[]
  readonly stopTokens: ReadonlySet<Token>
  readonly isNeverEnding: boolean
}

export interface Generated {
  readonly finishReason: 'stop' | 'length' | 'aborted'
  readonly promptTokens: number
  readonly completionTokens: number
  readonly promptMs: number
  readonly decodeMs: number
}

export interface GenerateContext {
  readonly engine: Engine
  readonly slot: Slot
  readonly signal: AbortSignal
  /** Milliseconds on a clock that never jumps. */
  readonly now: () => number
  /** Takes a piece of the answer; generation waits until it is taken. */
  readonly onText: (text: string) => Promise<void> | void
}

/**
 * Evaluates the prompt in an empty slot and samples until a stop, the limit or an abort. After an
 * abort it returns when the evaluation in progress (a token, or a chunk of the prompt) is over, so
 * that the slot is really free then.
 */
export const generate = async (job: Job, context: GenerateContext): Promise<Generated> => {
  const { engine, slot, signal, now } = context
  const task = slot.task!
  const startedAt = now()
  let firstTokenAt: number | undefined
  const end = (finishReason: Generated['finishReason']): Generated => ({
    finishReason,
    promptTokens: job.prompt.length,
    completionTokens: task.decodedTokens,
    promptMs: (firstTokenAt ?? now()) - startedAt,
    decodeMs: firstTokenAt === undefined ? 0 : now() - firstTokenAt,
  })
  const lastChunk = await evaluatePrompt(job, context, task)
  if (lastChunk === undefined) return end('aborted')
  const text = createTextReader(job, engine)
  const tokens = slot.sequence.evaluate(lastChunk, {
    ...job.sampling,
    ...(job.isNeverEnding ? { tokenBias: engine.neverEnding() } : {}),
    yieldEogToken: true,
  })
  for await (const token of tokens) {
    firstTokenAt ??= now()
    task.promptTokensDone = job.prompt.length
    if (signal.aborted) return end('aborted')
    task.decodedTokens += 1
    const isEnd = engine.model.isEogToken(token) || job.stopTokens.has(token)
    const piece = isEnd ? { text: text.rest(), isStopped: true } : text.push(token)
    const isLast = piece.isStopped || task.decodedTokens >= job.maxTokens
    const tail = isLast && !piece.isStopped ? text.rest() : ''
    if (piece.text + tail !== '') await context.onText(piece.text + tail)
    if (isLast) return end(piece.isStopped ? 'stop' : 'length')
  }
  return end('stop')
}

/** Evaluates all but the last chunk, which the sampler starts from; `undefined` when aborted. */
const evaluatePrompt = async (
  { prompt }: Job,
  { engine, slot, signal }: GenerateContext,
  task: SlotTask,
): Promise<readonly Token[] | undefined> => {
  await slot.sequence.clearHistory()
  const size = engine.promptChunkTokens
  let done = 0
  while (prompt.length - done > size && !signal.aborted) {
    await slot.sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(done, done + size))
    done += size
    task.promptTokensDone = done
  }
  return signal.aborted ? undefined : prompt.slice(done)
}

/** Tokens in, text out: characters are whole and stop texts are seen before they are sent. */
const createTextReader = (job: Job, { model }: Engine) => {
  const stop = createStopText(job.stopTexts)
  const last: Token[] = job.prompt.slice(-LAST_TOKENS)
  let pending: Token[] = []
  return {
    push: (token: Token): { readonly text: string; readonly isStopped: boolean } => {
      pending.push(token)
      const text = model.detokenize(pending, false, last)
      // A character may take several tokens, of a byte each.
      if (text.endsWith('\uFFFD') && pending.length < MAX_CHARACTER_TOKENS)
        return { text: '', isStopped: false }
      last.push(...pending)
      last.splice(0, last.length - LAST_TOKENS)
      pending = []
      return stop.push(text)
    },
    rest: (): string => stop.rest() + model.detokenize(pending, false, last),
  }
}

const LAST_TOKENS = 4
const MAX_CHARACTER_TOKENS = 8
