/** The number a header holds, when it is a whole one that a size can be; else undefined. */
export const wholeNumber = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_SIZE
    ? value
    : undefined

/** More blocks than any engine takes: llama.cpp stops at 512. */
export const MAX_BLOCKS = 1024

/** No dimension of a model is larger; products of a few of them stay exact, or at least finite. */
const MAX_SIZE = 2 ** 31

/** Text of a header, no longer than a name is; else undefined. */
export const shortText = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length > 0 && value.length <= 200 ? value : undefined
