/** Bytes as people read them: `4.3 GiB`. */
export const byteText = (bytes: number): string => {
  if (bytes < 1_024) return `${bytes} B`
  const power = Math.min(UNITS.length, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1_024 ** power).toFixed(1)} ${UNITS[power - 1] ?? ''}`
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `-` for what nobody could measure. */
export const maybeBytes = (bytes: number | null): string => (bytes === null ? '-' : byteText(bytes))
