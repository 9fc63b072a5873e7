/** Bytes for people: `7.50 GiB`, `12.3 MiB`, `640 bytes`. */
export const gib = (bytes: number): string => {
  if (bytes >= 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(2)} GiB`
  if (bytes >= 1024 ** 2) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
  return `${Math.round(bytes)} bytes`
}

/** A number without digits that say nothing. */
export const inWords = (value: number): string => String(Math.round(value * 10_000) / 10_000)
