const MICROS_PER_UNIT = 1_000_000
const FRACTION_DIGITS = 6
const DECIMAL = /^(\d{1,9})(?:\.(\d{1,6}))?$/

/** A decimal amount, at most six digits after its point, as millionths; else undefined. */
export const microsOfCost = (text: string): number | undefined => {
  const [, whole, fraction = ''] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return undefined
  return Number(whole) * MICROS_PER_UNIT + Number(fraction.padEnd(FRACTION_DIGITS, '0'))
}

/** Whole millionths as a decimal without needless zeros: 1500000 is "1.5". */
export const costOfMicros = (micros: number): string => {
  const fraction = String(micros % MICROS_PER_UNIT)
    .padStart(FRACTION_DIGITS, '0')
    .replace(/0+$/, '')
  const whole = String(Math.floor(micros / MICROS_PER_UNIT))
  return fraction === '' ? whole : `${whole}.${fraction}`
}
