import { asObject, type Json } from './read-chunk.ts'

type Grown = Record<string, unknown>

/** Texts that come once and whole, so that a second one takes the place of the first. */
const WHOLE_TEXTS: ReadonlySet<string> = new Set([
  ...['role', 'type', 'id', 'name', 'finish_reason', 'stop_reason'],
])

/**
 * Adds a part of an answer to what there is of it: texts grow, lists grow, entries of a list that
 * carry an `index` are joined by it, objects are joined field by field, and of everything else
 * the last that is not null counts.
 */
export const mergeDelta = (into: Grown, part: Json): void => {
  for (const [name, value] of Object.entries(part)) {
    if (name !== '__proto__') into[name] = merged(name, into[name], value)
  }
}

const merged = (name: string, before: unknown, value: unknown): unknown => {
  if (value === null || value === undefined) return before ?? null
  if (typeof value === 'string') {
    if (typeof before !== 'string') return value
    if (WHOLE_TEXTS.has(name)) return value === '' ? before : value
    return before + value
  }
  if (Array.isArray(value)) {
    const list = Array.isArray(before) ? (before as unknown[]) : []
    for (const entry of value) addEntry(list, entry)
    return list
  }
  const object = asObject(value)
  if (!object) return value
  const grown = (asObject(before) as Grown | undefined) ?? {}
  mergeDelta(grown, object)
  return grown
}

const addEntry = (list: unknown[], entry: unknown) => {
  const object = asObject(entry)
  const index = object?.['index']
  if (!object || typeof index !== 'number') return void list.push(entry)
  let known = list.find((each) => asObject(each)?.['index'] === index)
  if (known === undefined) list.push((known = {}))
  mergeDelta(known as Grown, object)
}
