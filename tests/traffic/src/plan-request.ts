import { randomInt, seededRng, type Rng } from '@berth/kernel'
import { chatPrompt, countTokens, expectedAnswer, type Answer } from '@berth/sim-text'

/** A model, and how its engines were started: what simulated ones answer follows from it. */
export interface TrafficModel {
  readonly id: string
  /** `seed` of the engines. Default 1. */
  readonly engineSeed?: number
  /** Pace of one answer in tokens per second; 0 or absent: as fast as possible. */
  readonly tokensPerS?: number
  readonly firstTokenMs?: number
  /**
   * A real engine serves it: its words are not known, so that an answer is judged by its form, its
   * end and the usage it tells.
   */
  readonly isReal?: boolean
}

/**
 * `stream`: reads an event stream to its end. `whole`: not streaming. `slow`: a stream, read with
 * pauses. `leave`: disconnects at a stage drawn from the seed.
 */
export type RequestKind = 'stream' | 'whole' | 'slow' | 'leave'

/** Relative weights of the kinds of requests. */
export type Mix = Readonly<Record<RequestKind, number>>

/** When a leaver disconnects. */
export type Leaving =
  | { readonly kind: 'after_ms'; readonly ms: number }
  | { readonly kind: 'after_tokens'; readonly count: number }

/** One request before it is sent, and the answer it must get. */
export interface RequestPlan {
  readonly index: number
  readonly correlationId: string
  readonly kind: RequestKind
  readonly model: TrafficModel
  /** Index of the gateway it goes to first. */
  readonly gateway: number
  readonly route: '/v1/chat/completions' | '/v1/completions'
  readonly body: string
  readonly isStream: boolean
  readonly includesUsage: boolean
  readonly promptTokens: number
  readonly expected: Answer
  readonly leaving: Leaving | undefined
}

export interface PlanOptions {
  readonly seed: number
  readonly models: readonly TrafficModel[]
  readonly mix: Mix
  readonly gatewayCount: number
  /** Lengths of answers, both ends included. */
  readonly tokens: { readonly min: number; readonly max: number }
  /** Leavers that leave by time do so within this. */
  readonly leaveWithinMs: number
}

/** The request number `index`: a function of its number and the seed, whoever sends it when. */
export const planRequest = (options: PlanOptions, index: number): RequestPlan => {
  const rng = seededRng(Math.imul(options.seed + 1, 0x9e3779b1) ^ index)
  const kind = drawKind(rng, options.mix)
  const model = options.models[randomInt(rng, options.models.length)]!
  const { min, max } = options.tokens
  const maxTokens = min + randomInt(rng, max - min + 1)
  const isStream = kind !== 'whole' && (kind !== 'leave' || rng.float() < 0.6)
  const { isReal = false } = model
  const includesUsage = isStream && (rng.float() < 0.3 || isReal)
  const isChat = rng.float() < 0.75
  // A natural stop may come first, so that both finish reasons occur.
  const ignoresEos = rng.float() < 0.8 || isReal
  const requestSeed = randomInt(rng, 1_000)
  const text = `request ${index} of run ${options.seed}: ${randomInt(rng, 1e6)} ⚓ "quoted"`
  const messages = [{ role: 'user', content: text }]
  const prompt = isChat ? chatPrompt(messages) : text
  const body = {
    model: model.id,
    ...(isChat ? { messages } : { prompt: text }),
    max_tokens: maxTokens,
    seed: requestSeed,
    ...(ignoresEos ? { ignore_eos: true } : {}),
    ...(isStream ? { stream: true } : {}),
    ...(includesUsage ? { stream_options: { include_usage: true } } : {}),
  }
  const engineSeed = model.engineSeed ?? 1
  return {
    index,
    correlationId: `traffic-${options.seed}-${index}`,
    kind,
    model,
    gateway: randomInt(rng, options.gatewayCount),
    route: isChat ? '/v1/chat/completions' : '/v1/completions',
    body: JSON.stringify(body),
    isStream,
    includesUsage,
    promptTokens: countTokens(prompt),
    expected: expectedAnswer({ engineSeed, requestSeed, prompt, maxTokens, ignoresEos }),
    leaving: kind === 'leave' ? drawLeaving(rng, options, maxTokens) : undefined,
  }
}

const drawKind = (rng: Rng, mix: Mix): RequestKind => {
  const kinds = Object.entries(mix) as [RequestKind, number][]
  let at = rng.float() * kinds.reduce((sum, [, weight]) => sum + weight, 0)
  return kinds.find(([, weight]) => (at -= weight) < 0)?.[0] ?? 'stream'
}

/** Before anything, while it waits or loads, or in the middle of the answer. */
const drawLeaving = (rng: Rng, options: PlanOptions, maxTokens: number): Leaving => {
  const stage = rng.float()
  if (stage < 0.15) return { kind: 'after_ms', ms: 0 }
  if (stage < 0.55) return { kind: 'after_ms', ms: randomInt(rng, options.leaveWithinMs) }
  return { kind: 'after_tokens', count: 1 + randomInt(rng, Math.max(1, maxTokens - 1)) }
}
