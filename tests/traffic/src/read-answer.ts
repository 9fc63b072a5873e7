import type { RequestPlan } from './plan-request.ts'

/** What an answer has said, checked against the plan from its first byte to its last. */
export interface ReadAnswer {
  /** Tokens that came in order. */
  readonly tokens: number
  /** Something of the answer itself came, not only comments or an error. */
  readonly hasBegun: boolean
  readonly isFinished: boolean
  /** `[DONE]` came, once and last; for a body that is no stream, the body was whole. */
  readonly isDone: boolean
  /** The code of an error event. */
  readonly errorCode: string | undefined
  /** The first thing that is not as it must be. */
  readonly problem: string | undefined
}

interface Reading {
  tokens: number
  chunks: number
  usages: number
  identity: string | undefined
  isFinished: boolean
  isDone: boolean
  errorCode: string | undefined
  problem: string | undefined
}

interface Chunk {
  readonly id?: string
  readonly model?: string
  readonly error?: { readonly code?: string }
  readonly usage?: Usage | null
  readonly choices?: readonly {
    readonly text?: string
    readonly delta?: { readonly content?: string | null }
    readonly message?: { readonly content?: string }
    readonly finish_reason?: string | null
  }[]
}

interface Usage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
}

/** Checks the events of a stream: each token in its place, one end, one `[DONE]`. */
export const readEvents = (plan: RequestPlan, events: readonly string[]): ReadAnswer => {
  const reading = newReading()
  for (const event of events) {
    reading.problem ??= readEvent(plan, reading, event)
    if (reading.problem !== undefined) break
  }
  return { ...reading, hasBegun: reading.chunks > 0 }
}

/** Checks a body that came in one piece. */
export const readWhole = (plan: RequestPlan, text: string): ReadAnswer => {
  const reading = { ...newReading(), hasBegun: text.length > 0 }
  const body = parse(text)
  if (body === undefined) return reading
  const choice = body.choices?.[0]
  const content = choice?.message?.content ?? choice?.text ?? ''
  const expected = Array.from({ length: plan.expected.length }, (_, i) => plan.expected.tokenAt(i))
  const { finishReason } = plan.expected
  const isSaid = plan.model.isReal === true ? content !== '' : content === expected.join('')
  const problem = !isSaid
    ? `the text is not what the engine says: ${preview(content)}`
    : choice?.finish_reason !== finishReason
      ? `finish_reason ${choice?.finish_reason}, not ${finishReason}`
      : usageProblem(plan, body.usage)
  const tokens = plan.expected.length
  return { ...reading, tokens, isFinished: true, isDone: true, problem }
}

const newReading = (): Reading => ({
  tokens: 0,
  chunks: 0,
  usages: 0,
  identity: undefined,
  isFinished: false,
  isDone: false,
  errorCode: undefined,
  problem: undefined,
})

/** What is wrong with the next event. */
const readEvent = (plan: RequestPlan, reading: Reading, event: string): string | undefined => {
  if (reading.isDone) return `after [DONE] came ${preview(event)}`
  if (reading.errorCode !== undefined) return `after the error came ${preview(event)}`
  if (event === '[DONE]') {
    reading.isDone = true
    if (!reading.isFinished) return `[DONE] after ${reading.tokens} tokens and no finish_reason`
    return plan.includesUsage && reading.usages === 0 ? 'the usage that was asked for' : undefined
  }
  const chunk = parse(event)
  if (chunk === undefined) return `an event that is no JSON: ${preview(event)}`
  if (chunk.error !== undefined) {
    reading.errorCode = chunk.error.code ?? 'unknown'
    return undefined
  }
  reading.chunks += 1
  const identity = `${chunk.id} ${chunk.model}`
  reading.identity ??= identity
  if (reading.identity !== identity) return `two answers in one stream: ${identity}`
  if (chunk.choices?.length === 0) return readUsage(plan, reading, chunk.usage)
  return readToken(plan, reading, chunk)
}

const readToken = (plan: RequestPlan, reading: Reading, chunk: Chunk): string | undefined => {
  const choice = chunk.choices?.[0]
  const { isReal = false } = plan.model
  const text = choice?.delta?.content ?? choice?.text ?? ''
  if (reading.isFinished) return `after the end came ${preview(text)}`
  if (text !== '') {
    const expected = plan.expected.tokenAt(reading.tokens)
    if (reading.tokens >= plan.expected.length) return `a token too many: ${preview(text)}`
    if (!isReal && text !== expected)
      return `token ${reading.tokens} is ${preview(text)}, not "${expected}"`
    reading.tokens += 1
  }
  const finish = choice?.finish_reason ?? undefined
  if (finish === undefined) return undefined
  reading.isFinished = true
  // llama-server tells the usage of a completion with its end.
  const ownUsage = isReal && chunk.usage ? readUsage(plan, reading, chunk.usage) : undefined
  if (ownUsage !== undefined) return ownUsage
  const { length, finishReason } = plan.expected
  // A real engine may send two tokens at once: its usage says how many they were.
  if (!isReal && reading.tokens < length)
    return `it ended after ${reading.tokens} of ${length} tokens`
  return finish === finishReason ? undefined : `finish_reason ${finish}, not ${finishReason}`
}

const readUsage = (plan: RequestPlan, reading: Reading, usage: Usage | null | undefined) => {
  reading.usages += 1
  if (!plan.includesUsage) return 'a usage event nobody asked for'
  return reading.usages > 1 ? 'two usage events' : usageProblem(plan, usage)
}

const usageProblem = (plan: RequestPlan, usage: Usage | null | undefined): string | undefined => {
  const [tokensIn, tokensOut] = [usage?.prompt_tokens, usage?.completion_tokens]
  const isIn = plan.model.isReal === true ? (tokensIn ?? 0) > 0 : tokensIn === plan.promptTokens
  const isRight = isIn && tokensOut === plan.expected.length
  return isRight ? undefined : `usage of ${tokensIn} and ${tokensOut} tokens`
}

const parse = (text: string): Chunk | undefined => {
  try {
    return JSON.parse(text) as Chunk
  } catch {
    // What is no JSON is a finding of the caller's.
    return undefined
  }
}

const preview = (text: string) => JSON.stringify(text.slice(0, 60))
