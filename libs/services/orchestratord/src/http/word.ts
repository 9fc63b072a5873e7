import type { DescEnum } from '@bufbuild/protobuf'

/**
 * A value of a protobuf enum as its wire word: `POOL_STATE_READY` -> `ready`. Enums are open: what
 * a newer service sends and what was never set are `unknown`.
 */
export const word = (schema: DescEnum, value: number): string =>
  value === 0 ? 'unknown' : (schema.value[value]?.localName.toLowerCase() ?? 'unknown')
