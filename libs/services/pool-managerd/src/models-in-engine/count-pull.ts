import type { CallSign } from '@berth/supervision'

/** Bytes of a download over all its parts. */
export interface PulledBytes {
  readonly bytesDone: number
  readonly bytesTotal: number
}

type Progress = Extract<CallSign, { readonly kind: 'progress' }>

/** More parts than any model has. */
const PARTS_MAX = 4_096

/**
 * Adds up a download that is told part by part. What was there is not taken back when a download
 * goes on after a break; the total grows as parts become known.
 */
export const createPullCount = (): {
  add(sign: Progress): void
  /** Absent while no part has told its size. */
  sum(): PulledBytes | undefined
} => {
  const parts = new Map<string, PulledBytes>()
  return {
    add: ({ part = '', bytesDone = 0, bytesTotal }) => {
      if (bytesTotal === undefined || (!parts.has(part) && parts.size >= PARTS_MAX)) return
      const before = parts.get(part)?.bytesDone ?? 0
      parts.set(part, {
        bytesDone: Math.min(bytesTotal, Math.max(before, bytesDone)),
        bytesTotal,
      })
    },
    sum: () => {
      if (parts.size === 0) return undefined
      const all = [...parts.values()]
      return {
        bytesDone: all.reduce((sum, part) => sum + part.bytesDone, 0),
        bytesTotal: all.reduce((sum, part) => sum + part.bytesTotal, 0),
      }
    },
  }
}
