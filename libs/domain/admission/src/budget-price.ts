/** What a model's tokens cost: millionths of the unit for a million tokens. Whole numbers. */
export interface Price {
  readonly inputMicrosPerMillion: number
  readonly outputMicrosPerMillion: number
}

const MILLION = 1_000_000

/** A price in units for a million tokens, as people write it; rounded to what is counted. */
export const toPrice = (inputPerMillion: number, outputPerMillion: number): Price => ({
  inputMicrosPerMillion: Math.round(inputPerMillion * MILLION),
  outputMicrosPerMillion: Math.round(outputPerMillion * MILLION),
})

/**
 * What tokens cost, in millionths of the unit, a begun one counted whole: more tokens never cost
 * less. 0 for a model without a price.
 */
export const costMicrosOf = (
  price: Price | undefined,
  tokensIn: number,
  tokensOut: number,
): number => {
  if (!price) return 0
  const { inputMicrosPerMillion, outputMicrosPerMillion } = price
  return Math.ceil(
    (tokensIn * inputMicrosPerMillion + tokensOut * outputMicrosPerMillion) / MILLION,
  )
}
