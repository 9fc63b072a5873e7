import type { Answer } from '@berth/sim-text'

/** Longer answers are not searched for a text to stop at. */
const MAX_SEARCHED_TOKENS = 4_096

/** The answer up to the first of the texts it is to stop at, which is not sent itself. */
export const endAtStop = (answer: Answer, stops: readonly string[]): Answer => {
  if (stops.length === 0) return answer
  let text = ''
  for (let index = 0; index < Math.min(answer.length, MAX_SEARCHED_TOKENS); index++) {
    const before = text.length
    text += answer.tokenAt(index)
    const end = firstOf(text, stops)
    if (end === undefined) continue
    return cutAt(answer, { index, before, end })
  }
  return answer
}

const firstOf = (text: string, stops: readonly string[]): number | undefined => {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return found.length === 0 ? undefined : Math.min(...found)
}

/** `end` lies in or before the token at `index`, which begins at `before`. */
const cutAt = (
  answer: Answer,
  { index, before, end }: { readonly index: number; readonly before: number; readonly end: number },
): Answer => {
  let [last, start] = [index, before]
  while (last > 0 && end <= start) start -= answer.tokenAt(--last).length
  return {
    length: end > start ? last + 1 : last,
    finishReason: 'stop',
    tokenAt: (at) => (at === last ? answer.tokenAt(at).slice(0, end - start) : answer.tokenAt(at)),
  }
}
