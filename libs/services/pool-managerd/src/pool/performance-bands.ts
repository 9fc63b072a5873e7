/** Prompts of up to 2^(8 + band) tokens; the last band has no end (`PerformanceCell`). */
const PROMPT_BANDS = 10
/** Up to 2^band requests in flight, this one counted; the last band has no end. */
const OCCUPANCY_BANDS = 9

/** The band of a prompt of so many tokens. */
export const promptBand = (tokens: number): number => bandOf(tokens / 256, PROMPT_BANDS)

/** The band of so many requests in flight. */
export const occupancyBand = (occupancy: number): number => bandOf(occupancy, OCCUPANCY_BANDS)

/** The least band with `value <= 2^band`. */
const bandOf = (value: number, bands: number): number => {
  const band = value <= 1 ? 0 : Math.ceil(Math.log2(value))
  return Math.min(bands - 1, band)
}
