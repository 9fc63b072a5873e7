import { invalidParam } from './error-envelope.ts'

/** Engines take signed 64-bit seeds, and most of them take a negative one for "any". */
const SEED_MAX = 2n ** 63n - 1n

/**
 * The seed of a strict job's body; undefined: core mints one. Throws `INVALID_PARAMS` for what is
 * none. `text` is the body: a number beyond 2^53 loses digits in `value`.
 */
export const readSeed = (value: unknown, text: string): bigint | undefined => {
  if (value === undefined) return undefined
  const isExact = typeof value === 'number' && Number.isSafeInteger(value)
  const digits = isExact ? String(value) : sourceOfSeed(text)
  const seed = /^\d{1,19}$/.test(digits) ? BigInt(digits) : -1n
  if (seed >= 0n && seed <= SEED_MAX) return seed
  throw invalidParam(
    'seed',
    `For X-Determinism: strict the field seed must be a whole number from 0 to ${SEED_MAX}. ` +
      'Leave it out and Berth chooses one.',
  )
}

/** The digits of the outermost `seed` as the client wrote them; empty when it is no number. */
const sourceOfSeed = (text: string): string => {
  const sources = new WeakMap<object, string>()
  const whole: unknown = JSON.parse(text, function (this: object, key, value, ...more) {
    const [context] = more as unknown as [{ readonly source?: string } | undefined]
    if (key === 'seed' && typeof value === 'number') sources.set(this, context?.source ?? '')
    return value as unknown
  })
  return sources.get(whole as object) ?? ''
}
