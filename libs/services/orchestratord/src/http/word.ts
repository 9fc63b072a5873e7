/**
 * A value of a generated enum as its wire word: `RESIDENT` -> `resident`. Enums are open: what a
 * newer service sends and what was never set are `unknown`.
 */
export const word = (names: Record<number, string>, value: number): string =>
  value === 0 ? 'unknown' : (names[value]?.toLowerCase() ?? 'unknown')
