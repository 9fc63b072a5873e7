import { randomInt, seededRng } from '@berth/kernel'

/** One request of one of the two. */
export interface Arrival {
  readonly who: 'modest' | 'greedy'
  readonly atMs: number
  readonly tokensOut: number
}

/** Mean length of an answer. */
export const MEAN_TOKENS = 100

/** Poisson arrivals of both, oldest first; the same ones for the same rates. */
export const arrivalsOf = (
  rates: Readonly<Record<Arrival['who'], number>>,
  seconds: number,
): Arrival[] =>
  (['modest', 'greedy'] as const)
    .flatMap((who, n) => arrivals(who, rates[who], { seconds, seed: n + 1 }))
    .sort((a, b) => a.atMs - b.atMs)

const arrivals = (
  who: Arrival['who'],
  perSecond: number,
  { seconds, seed }: { readonly seconds: number; readonly seed: number },
): Arrival[] => {
  const rng = seededRng(seed)
  const found: Arrival[] = []
  if (perSecond === 0) return found
  for (let atMs = 0; ;) {
    atMs += (-Math.log(1 - rng.float()) * 1_000) / perSecond
    if (atMs > seconds * 1_000) return found
    found.push({ who, atMs, tokensOut: MEAN_TOKENS / 5 + randomInt(rng, (MEAN_TOKENS * 8) / 5) })
  }
}
