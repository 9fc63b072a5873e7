import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { settingsOf } from './setting.ts'

/** Names in a file of the settings that differ between two configurations of one schema. */
export const changedSettings = <S extends z.ZodObject>(
  schema: S,
  before: Readonly<z.infer<S>>,
  after: Readonly<z.infer<S>>,
): string[] =>
  settingsOf(schema)
    .filter(({ key }) => !isDeepStrictEqual(valueAt(before, key), valueAt(after, key)))
    .map(({ fileKey }) => fileKey)

const valueAt = (config: unknown, key: string): unknown =>
  key.split('.').reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], config)
