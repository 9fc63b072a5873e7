import { shortText, wholeNumber } from './header-number.ts'
import type { JsonObject } from './raw-header.ts'

/** Reads a `config.json`; of a multimodal model the part that is its language model. */
export const configValues = (config: JsonObject) => {
  const text = textOf(config)
  const first = (names: readonly string[], from: JsonObject): number | undefined => {
    for (const name of names) {
      const value = wholeNumber(from[name])
      if (value !== undefined) return value
    }
    return undefined
  }
  return {
    /** The first of these names that holds a size. */
    number: (...names: readonly string[]): number | undefined =>
      first(names, text) ?? first(names, config),
    text: (name: string): string | undefined => shortText(text[name]) ?? shortText(config[name]),
    flag: (name: string): boolean | undefined => {
      const value = text[name] ?? config[name]
      return typeof value === 'boolean' ? value : undefined
    },
    list: (name: string): readonly unknown[] | undefined => {
      const value = text[name]
      return Array.isArray(value) ? value : undefined
    },
    /** `model_type` of the language model, such as `qwen3_moe` or `gemma3_text`. */
    modelType: (shortText(text['model_type']) ?? shortText(config['model_type']) ?? '').replace(
      /_text$/,
      '',
    ),
  }
}

/** What `configValues` gives. */
export type ConfigValues = ReturnType<typeof configValues>

/** An object of JSON; undefined for anything else. */
export const jsonObject = (value: unknown): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined

const textOf = (config: JsonObject): JsonObject =>
  jsonObject(config['text_config']) ??
  jsonObject(config['llm_config']) ??
  jsonObject(config['language_config']) ??
  config
