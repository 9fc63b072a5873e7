import { HeaderFault } from './header-fault.ts'
import { readRange, regularSize } from './regular-file.ts'

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads a file that holds one JSON object. Python writes numbers that JSON does not have
 * (`Infinity`, `NaN`): they are read as null. Throws a `HeaderFault`.
 */
export const readJsonObject = async (path: string, maxBytes: number): Promise<JsonObject> => {
  const size = await regularSize(path)
  if (size > maxBytes) throw new HeaderFault(path, `it has ${size} bytes, and ${maxBytes} are read`)
  const text = (await readRange(path, 0, size)).toString('utf8')
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HeaderFault(path, 'it is not a JSON object')
  }
  return value as JsonObject
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Reads it again without the words; what is still no JSON is told by the caller.
  }
  try {
    return JSON.parse(text.replace(STRING_OR_WORD, (found) => (found[0] === '"' ? found : 'null')))
  } catch {
    return undefined
  }
}

const STRING_OR_WORD = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g

/** What is kept of JSON from elsewhere: no deep nests, no long lists, no long texts. */
export const pruned = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return value.length <= 200 ? value : undefined
  if (typeof value !== 'object' || value === null) return value
  if (depth >= 5) return undefined
  if (Array.isArray(value)) {
    return value.length > 1_024 ? undefined : value.map((each) => pruned(each, depth + 1) ?? null)
  }
  const entries = Object.entries(value).slice(0, 512)
  return Object.fromEntries(
    entries.map(([key, each]) => [key.slice(0, 200), pruned(each, depth + 1)]),
  )
}
