import type { DeviceKind } from './host-snapshot.ts'
import { PROMPT_BANDS } from './speed-class.ts'

/** What a pool without measurements is taken for, by its first device. */
export type DefaultSpeeds = Readonly<
  Record<DeviceKind, { readonly tokensPerS: number; readonly firstTokenMs: number }>
>

/**
 * What a score reads of every pool, by pool number, as plain numbers next to each other: a decision
 * over a thousand pools must not follow pointers. All but backlog and reading only saves work: it
 * says what a pool's cells say of one model at one occupancy, by prompt band, and is made again
 * when asked of another or when the pool's cells or snapshot changed.
 */
export interface SpeedRows {
  values: Float64Array
  /** What the rows were made with. */
  defaults: DefaultSpeeds | undefined
  /** Of the classes' tables: a row of another one is void. */
  version: number
  /** When that began, on the caller's clock. */
  refreshedAtMs: number
}

/** Where a row has what. The bands follow: three numbers each, and one band more for unknown. */
export const ROW = {
  /** When the prompts granted so far will have been read, on the caller's clock. */
  backlogEndMs: 0,
  /** See `modelKey`; -1 for none. */
  model: 1,
  /** Requests in flight. */
  occupancy: 2,
  version: 3,
  /** Reading time of the prompts granted of late, each counting less as it ages. */
  readingMs: 4,
  /** When that was counted, on the caller's clock. */
  readingAtMs: 5,
  bands: 6,
  size: 6 + 3 * (PROMPT_BANDS + 1),
} as const

/** In a band: the first token of a whole prompt is `fixedMs + tokens * readMs`. */
export const BAND = { fixedMs: 0, readMs: 1, decodeMs: 2, size: 3 } as const

/** Rows of no pool. */
export const createSpeedRows = (): SpeedRows => ({
  values: new Float64Array(0),
  defaults: undefined,
  version: 0,
  refreshedAtMs: 0,
})

/** Makes the row of a pool a new one. */
export const beginRow = (rows: SpeedRows, pool: number): void => {
  const end = (pool + 1) * ROW.size
  if (rows.values.length < end) {
    const values = new Float64Array(end * 2)
    values.set(rows.values)
    rows.values = values
  }
  rows.values.fill(0, pool * ROW.size, (pool + 1) * ROW.size)
  forgetRow(rows, pool)
}

/** What was read out of the pool's cells holds no longer. */
export const forgetRow = (rows: SpeedRows, pool: number): void => {
  rows.values[pool * ROW.size + ROW.model] = -1
}
