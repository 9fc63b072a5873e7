import type { EngineSpec } from '@berth/supervision'

type OptionRule = (value: string | number | boolean) => string | undefined

export const wholeNumber =
  (min: number, max: number): OptionRule =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? undefined
      : `has to be a whole number from ${min} to ${max}`

export const trueOrFalse: OptionRule = (value) =>
  typeof value === 'boolean' ? undefined : 'has to be true or false'

export const text: OptionRule = (value) =>
  typeof value === 'string' && value !== '' && !value.includes('\0')
    ? undefined
    : 'has to be a text'

export const oneOf =
  (...allowed: readonly string[]): OptionRule =>
  (value) =>
    allowed.includes(value as string) ? undefined : `has to be one of ${allowed.join(', ')}`

/** Problems of `engine_options` against the rules of a driver, each naming its key. */
export const checkOptions = (
  { options }: EngineSpec,
  rules: Readonly<Record<string, OptionRule>>,
): string[] =>
  Object.entries(options).flatMap(([key, value]) => {
    const known = Object.keys(rules).join(', ')
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    const problem = rule === undefined ? `is not an option (known: ${known})` : rule(value)
    return problem === undefined ? [] : [`engine_options.${key}: ${problem}`]
  })
