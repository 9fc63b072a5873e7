/** The most recently set entries of a map, and no more than fit. */
export interface Recent<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
}

/** Keeps `capacity` entries; the one set longest ago leaves first. */
export const createRecent = <K, V>(capacity: number): Recent<K, V> => {
  const entries = new Map<K, V>()
  return {
    get: (key) => entries.get(key),
    set: (key, value) => {
      // A map keeps insertion order: set again means young again.
      entries.delete(key)
      entries.set(key, value)
      if (entries.size > capacity) entries.delete(entries.keys().next().value as K)
    },
    delete: (key) => void entries.delete(key),
  }
}
