import type { IncomingHttpHeaders } from 'node:http'
import { JobClass, KvHint } from '@berth/contract'
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
}

const DEADLINE_MAX_MS = 86_400_000
const MAX_WAIT_MAX_MS = 3_600_000
const SESSION_ID = /^[A-Za-z0-9._:-]{1,128}$/

/** Throws `INVALID_PARAMS` that names the header. */
export const readHeaders = (headers: IncomingHttpHeaders): HeaderHints => ({
  class:
    readWord(headers, 'X-Priority', {
      interactive: JobClass.INTERACTIVE,
      batch: JobClass.BATCH,
    }) ?? JobClass.INTERACTIVE,
  deadlineMs: readMs(headers, 'X-Deadline-Ms', 1, DEADLINE_MAX_MS) ?? 0,
  maxWaitMs: readMs(headers, 'X-Max-Wait-Ms', 0, MAX_WAIT_MAX_MS),
  sessionId: readSessionId(headers),
  kvHint:
    readWord(headers, 'X-KV-Hint', { reuse: KvHint.REUSE, cold: KvHint.COLD }) ??
    KvHint.UNSPECIFIED,
})

const readText = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

const readMs = (headers: IncomingHttpHeaders, name: string, min: number, max: number) => {
  const text = readText(headers, name)
  if (text === undefined) return undefined
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw invalidParam(name, `${name} must be a whole number of milliseconds, ${min} to ${max}.`)
}

const readWord = <T>(headers: IncomingHttpHeaders, name: string, words: Record<string, T>) => {
  const text = readText(headers, name)
  if (text === undefined) return undefined
  if (Object.hasOwn(words, text)) return words[text]
  throw invalidParam(name, `${name} must be one of: ${Object.keys(words).join(', ')}.`)
}

const readSessionId = (headers: IncomingHttpHeaders): string => {
  const text = readText(headers, 'X-Session-Id')
  if (text === undefined) return ''
  if (SESSION_ID.test(text)) return text
  throw invalidParam('X-Session-Id', 'X-Session-Id must be 1 to 128 of letters, digits and ._:-')
}
