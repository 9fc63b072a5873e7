/** The oldest vLLM that is started (003-NFR-017). */
export const OLDEST = '0.4.0'

/**
 * The version in what `vllm --version` or a Python prints: log lines may stand before it. Such as
 * `0.13.0`, `0.6.4.post1` or `0.11.1rc3.dev12+g0a1b2c3`; `undefined` when there is none.
 */
export const readVllmVersion = (text: string): string | undefined =>
  text
    .slice(-TEXT_MAX_CHARS)
    .split('\n')
    .map((line) => /^\s*(?:vllm\s+)?v?(\d+\.\d+\.\d+[\w.+-]{0,64})\s*$/i.exec(line)?.[1])
    .findLast((version) => version !== undefined)

const TEXT_MAX_CHARS = 65_536

/** True from `version` on, counted by its three numbers; also for a version that is not known. */
export const isAtLeast = (known: string | undefined, version: string): boolean =>
  known === undefined || compare(known, version) >= 0

/** True before `version`; false for a version that is not known. */
export const isBefore = (known: string | undefined, version: string): boolean =>
  known !== undefined && compare(known, version) < 0

const compare = (one: string, other: string): number => {
  const [a, b] = [numbersOf(one), numbersOf(other)]
  const at = a.findIndex((number, index) => number !== b[index])
  return at < 0 ? 0 : a[at]! - (b[at] ?? 0)
}

const numbersOf = (version: string): readonly number[] =>
  (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
