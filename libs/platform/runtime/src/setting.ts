import { assert } from '@berth/kernel'
import type { z } from 'zod'

/** One key of a config schema with the three names it can be given under. */
export interface Setting {
  readonly key: string
  /** `--nats-url` */
  readonly flag: string
  /** `BERTH_NATS_URL` */
  readonly variable: string
  /** `nats_url` */
  readonly fileKey: string
  readonly kind: 'number' | 'boolean' | 'array' | 'other'
}

export const settingsOf = (schema: z.ZodObject): Setting[] =>
  Object.entries(schema.shape).map(([key, field]) => {
    assert(/^[a-z][A-Za-z0-9]*$/.test(key) && key !== 'config', `setting ${key} is camelCase`)
    const fileKey = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    return {
      key,
      flag: `--${fileKey.replaceAll('_', '-')}`,
      variable: `BERTH_${fileKey.toUpperCase()}`,
      fileKey,
      kind: kindOf(field as z.core.$ZodType),
    }
  })

/** What a text given for the setting means. A text that means nothing stays a text, and fails. */
export const fromText = (setting: Setting, text: string): unknown => {
  switch (setting.kind) {
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text
    case 'boolean':
      return BOOLEANS.get(text.toLowerCase()) ?? text
    case 'array':
      return text.split(',').map((part) => part.trim())
    case 'other':
      return text
  }
}

const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['false', false],
  ['0', false],
  ['no', false],
])

/** Looks through defaults, optionals and the like to what the schema takes in. */
const kindOf = (field: z.core.$ZodType): Setting['kind'] => {
  const def = field._zod.def as z.core.$ZodTypeDef & {
    readonly innerType?: z.core.$ZodType
    readonly in?: z.core.$ZodType
  }
  if (def.type === 'number' || def.type === 'boolean' || def.type === 'array') return def.type
  const inner = def.innerType ?? def.in
  return inner ? kindOf(inner) : 'other'
}
