import { wholeNumber } from './header-number.ts'
import type { GgufHeader } from './raw-header.ts'

/** Reads the keys of one architecture, which stand behind its name: `llama.block_count`. */
export const ggufValues = ({ metadata, arrayLengths }: GgufHeader, architecture: string) => {
  const at = (key: string) => metadata[`${architecture}.${key}`]
  const number = (key: string): number | undefined => wholeNumber(at(key))
  return {
    number,
    /** One for each block: an array, or one number for all of them. */
    perBlock: (key: string, blocks: number): readonly number[] | undefined => {
      const value = at(key)
      if (!Array.isArray(value)) {
        const one = number(key)
        return one === undefined ? undefined : Array.from({ length: blocks }, () => one)
      }
      const all = value.map((each: unknown) =>
        wholeNumber(typeof each === 'boolean' ? +each : each),
      )
      if (all.length < blocks || all.includes(undefined)) return undefined
      return all.slice(0, blocks).map((each) => each ?? 0)
    },
    lengthOf: (key: string): number | undefined => wholeNumber(arrayLengths[key]),
  }
}

/** What `ggufValues` gives. */
export type GgufValues = ReturnType<typeof ggufValues>
