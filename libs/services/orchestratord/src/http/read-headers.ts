import type { IncomingHttpHeaders } from 'node:http'
import { JobClass, KvHint } from '@berth/contract'
import { microsOfCost } from '../cost.ts'
import { invalidParam } from './error-envelope.ts'

/** What a client may ask of admission and placement by header. */
export interface HeaderHints {
  readonly class: JobClass
  /** 0: none. */
  readonly deadlineMs: number
  /** Undefined: the gateway's default. 0: answer at once. */
  readonly maxWaitMs: number | undefined
  readonly sessionId: string
  readonly kvHint: KvHint
  /** Only on a pool that repeats itself byte for byte. */
  readonly isStrict: boolean
  readonly samplerProfileVersion: string
  /** 0: unknown. */
  readonly expectedTokens: number
  /** Tokens of context the client says it needs. 0: it did not say. */
  readonly requiredCtx: number
  /** Of the session, else of the job. An absent amount is not limited. */
  readonly budget: HeaderBudget
}

export interface HeaderBudget {
  readonly tokens?: bigint
  readonly timeMs?: bigint
  readonly costMicros?: bigint
}

const DEADLINE_MAX_MS = 86_400_000
const MAX_WAIT_MAX_MS = 3_600_000
const TOKENS_MAX = 1_000_000_000
const CTX_MAX = 100_000_000
const BUDGET_MAX = 1_000_000_000_000
const SESSION_ID = /^[A-Za-z0-9._:-]{1,128}$/
const PROFILE_VERSION = /^[A-Za-z0-9._:+/-]{1,64}$/

/** Throws `INVALID_PARAMS` that names the header. */
export const readHeaders = (headers: IncomingHttpHeaders): HeaderHints => ({
  class:
    readWord(headers, 'X-Priority', {
      interactive: JobClass.INTERACTIVE,
      batch: JobClass.BATCH,
    }) ?? JobClass.INTERACTIVE,
  deadlineMs: readNumber(headers, 'X-Deadline-Ms', { ...MS, min: 1, max: DEADLINE_MAX_MS }) ?? 0,
  maxWaitMs: readNumber(headers, 'X-Max-Wait-Ms', { ...MS, min: 0, max: MAX_WAIT_MAX_MS }),
  sessionId: readSessionId(headers),
  kvHint:
    readWord(headers, 'X-KV-Hint', { reuse: KvHint.REUSE, cold: KvHint.COLD }) ??
    KvHint.UNSPECIFIED,
  isStrict: readWord(headers, 'X-Determinism', { strict: true, best_effort: false }) ?? false,
  samplerProfileVersion: readProfileVersion(headers),
  expectedTokens:
    readNumber(headers, 'X-Expected-Tokens', { ...TOKENS, min: 1, max: TOKENS_MAX }) ?? 0,
  requiredCtx: readNumber(headers, 'X-Required-Ctx', { ...TOKENS, min: 1, max: CTX_MAX }) ?? 0,
  budget: readBudget(headers),
})

/** Throws `INVALID_PARAMS` about `param` for what cannot be the id of a session. */
export const checkSessionId = (text: string, param: string): string => {
  if (SESSION_ID.test(text)) return text
  throw invalidParam(param, `${param} must be 1 to 128 of letters, digits and ._:-`)
}

const MS = { what: 'milliseconds' }
const TOKENS = { what: 'tokens' }

const readText = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

interface NumberRule {
  readonly what: string
  readonly min: number
  readonly max: number
}

const readNumber = (headers: IncomingHttpHeaders, name: string, rule: NumberRule) => {
  const text = readText(headers, name)
  if (text === undefined) return undefined
  const { what, min, max } = rule
  const value = /^\d{1,13}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw invalidParam(name, `${name} must be a whole number of ${what}, ${min} to ${max}.`)
}

const readWord = <T>(headers: IncomingHttpHeaders, name: string, words: Record<string, T>) => {
  const text = readText(headers, name)
  if (text === undefined) return undefined
  if (Object.hasOwn(words, text)) return words[text]
  throw invalidParam(name, `${name} must be one of: ${Object.keys(words).join(', ')}.`)
}

const readSessionId = (headers: IncomingHttpHeaders): string => {
  const text = readText(headers, 'X-Session-Id')
  return text === undefined ? '' : checkSessionId(text, 'X-Session-Id')
}

const readProfileVersion = (headers: IncomingHttpHeaders): string => {
  const name = 'X-Sampler-Profile-Version'
  const text = readText(headers, name) ?? ''
  if (text === '' || PROFILE_VERSION.test(text)) return text
  throw invalidParam(name, `${name} must be 1 to 64 of letters, digits and ._:+/-`)
}

const readBudget = (headers: IncomingHttpHeaders): HeaderBudget => {
  const limit = { min: 1, max: BUDGET_MAX }
  const tokens = readNumber(headers, 'X-Budget-Tokens', { ...TOKENS, ...limit })
  const timeMs = readNumber(headers, 'X-Budget-Time-Ms', { ...MS, ...limit })
  const costMicros = readCost(headers, 'X-Budget-Cost')
  return {
    ...(tokens === undefined ? {} : { tokens: BigInt(tokens) }),
    ...(timeMs === undefined ? {} : { timeMs: BigInt(timeMs) }),
    ...(costMicros === undefined ? {} : { costMicros }),
  }
}

const readCost = (headers: IncomingHttpHeaders, name: string) => {
  const text = readText(headers, name)
  if (text === undefined) return undefined
  const micros = microsOfCost(text)
  if (micros !== undefined && micros > 0) return BigInt(micros)
  throw invalidParam(
    name,
    `${name} must be a decimal above 0, with up to 6 digits after its point.`,
  )
}
