import { unreachable } from '@berth/kernel'
import type { RequestPlan } from './plan-request.ts'
import { readEvents, readWhole, type ReadAnswer } from './read-answer.ts'
import type { Observed } from './send-request.ts'

/** What became of a request. */
export type Verdict =
  /** Every byte is as it must be. `retries`: what `X-Berth-Retries` says. */
  | { readonly kind: 'ok'; readonly retries: number }
  /** An error, or no answer, before anything of an answer. */
  | { readonly kind: 'failed'; readonly code: string }
  /** An error in the client's dialect after the answer had begun. */
  | { readonly kind: 'terminal_error'; readonly code: string }
  /** The answer had begun and ended without any terminal marker. */
  | { readonly kind: 'truncated'; readonly code: string }
  /** Something came that the engine did not say. */
  | { readonly kind: 'mismatched'; readonly code: string }
  | { readonly kind: 'left' }

/** Compares what a client saw with what the engine must have said. */
export const judge = (plan: RequestPlan, observed: Observed): Verdict => {
  const { ending, status } = observed
  if (status !== undefined && status !== 200) return judgeRefusal(observed)
  const isEvents = String(observed.headers['content-type']).startsWith('text/event-stream')
  const answer = isEvents
    ? readEvents(plan, observed.events.data)
    : readWhole(plan, ending === 'complete' ? observed.text : '')
  const isBegun = answer.hasBegun || observed.text.length > 0
  // What came must be right also where the rest did not come.
  if (answer.problem !== undefined) return { kind: 'mismatched', code: answer.problem }
  switch (ending) {
    case 'left':
      return { kind: 'left' }
    case 'timed_out':
      return { kind: 'failed', code: 'NO_ANSWER_IN_TIME' }
    case 'refused':
    case 'broken': {
      const code = observed.errorCode ?? 'cut'
      return isBegun ? { kind: 'truncated', code } : { kind: 'failed', code }
    }
    case 'complete':
      return judgeComplete(answer, observed)
    default:
      return unreachable(ending)
  }
}

const judgeComplete = (answer: ReadAnswer, observed: Observed): Verdict => {
  const { errorCode: code } = answer
  if (code !== undefined) return { kind: answer.hasBegun ? 'terminal_error' : 'failed', code }
  const rest = observed.events.rest()
  if (rest !== '') return { kind: 'truncated', code: `half an event: ${rest.slice(0, 60)}` }
  if (!answer.isDone) return { kind: 'truncated', code: 'no terminal marker' }
  return { kind: 'ok', retries: Number(observed.headers['x-berth-retries'] ?? 0) }
}

const judgeRefusal = ({ ending, status, text }: Observed): Verdict => {
  if (ending === 'left') return { kind: 'left' }
  return { kind: 'failed', code: codeOf(text) ?? `HTTP_${status}` }
}

const codeOf = (text: string): string | undefined => {
  try {
    const code = (JSON.parse(text) as { error?: { code?: unknown } }).error?.code
    return typeof code === 'string' ? code : undefined
  } catch {
    // An error without our envelope is known by its status.
    return undefined
  }
}
