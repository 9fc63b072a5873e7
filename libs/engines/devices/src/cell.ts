/** More than any tool prints about one host in an answer. */
const TEXT_MAX_CHARS = 1_048_576
const NAME_MAX_CHARS = 256
/** No device has more; a larger figure is a misread one. */
const MEMORY_MAX_BYTES = 4 * 1024 ** 4

export const MIB = 1_048_576

/** Lines of a tool's answer, cut to what is worth reading. */
export const linesOf = (text: string): string[] => text.slice(0, TEXT_MAX_CHARS).split(/\r?\n/)

/**
 * The number of a cell, with or without its unit. `[N/A]`, `[Not Supported]`, `[Unknown Error]`
 * and the like are not known, never 0.
 */
export const readNumber = (cell: string | undefined): number | undefined => {
  const [, digits] = /^\s*(-?\d{1,15}(?:\.\d{1,6})?)\s*(?:MiB|%|C|W)?\s*$/.exec(cell ?? '') ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** The driver says that the device does not have this, not that it cannot tell. */
export const hasNone = (cell: string | undefined): boolean =>
  /^\s*(?:\[?N\/A\]?|\[?Not Supported\]?)\s*$/i.test(cell ?? '')

/** A whole number of 0 or more, within `max`. */
export const readWhole = (cell: string | undefined, max: number): number | undefined => {
  const value = readNumber(cell)
  return value === undefined || value < 0 || value > max ? undefined : Math.round(value)
}

/** Total and free memory that make sense together: free is no more than total. */
export const memoryOf = (
  total: number | undefined,
  free: number | undefined,
): { readonly memoryTotalBytes?: number; readonly memoryFreeBytes?: number } => {
  if (total === undefined || !(total > 0) || total > MEMORY_MAX_BYTES) return {}
  return free === undefined || !(free >= 0)
    ? { memoryTotalBytes: total }
    : { memoryTotalBytes: total, memoryFreeBytes: Math.min(free, total) }
}

export const mibToBytes = (mib: number | undefined): number | undefined =>
  mib === undefined ? undefined : Math.round(mib * MIB)

/** A name as it may be shown: one line, of bounded length, or `fallback`. */
export const nameOf = (cell: string | undefined, fallback: string): string => {
  const name = (cell ?? '').replaceAll(/[^\P{C}]+/gu, ' ').trim()
  return name === '' ? fallback : name.slice(0, NAME_MAX_CHARS)
}
