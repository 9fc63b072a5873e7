import { assert } from '@berth/kernel'
import { z } from 'zod'

/** One value of a config schema with the names it can be given under. */
export interface Setting {
  /** Where it stands in the settings: `natsUrl`, `queue.fullPolicy`. */
  readonly key: string
  /** `--nats-url`, `--queue-full-policy` */
  readonly flag: string
  /** `BERTH_NATS_URL`, `BERTH_QUEUE_FULL_POLICY` */
  readonly variable: string
  /** Where it stands in a file: `nats_url`, `queue.full_policy`. */
  readonly fileKey: string
  readonly kind: 'number' | 'boolean' | 'array' | 'record' | 'other'
  readonly schema: z.core.$ZodType
  /** It stands in a group that may be left out as a whole. */
  readonly mayBeAbsent: boolean
}

/** Settings of a schema that stand together in a file, with groups of their own. */
export interface SettingGroup {
  /** Where it stands in the settings; empty for the schema itself. */
  readonly key: string
  /** By the name in the file. */
  readonly members: ReadonlyMap<string, Setting | SettingGroup>
}

/** Settings that stand together under one name; each keeps its own default. */
export const settingGroup = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape).prefault({} as never)

/** The settings of a schema as a file nests them. */
export const groupOf = (
  schema: z.core.$ZodType,
  path: readonly string[] = [],
  mayBeAbsent = false,
): SettingGroup => ({
  key: path.join('.'),
  members: new Map(
    Object.entries(shapeOf(schema) ?? {}).map(([key, field]) => {
      const isName = /^[a-z][A-Za-z0-9]*$/.test(key)
      assert(isName && (path.length > 0 || key !== 'config'), `setting ${key} is camelCase`)
      const inner = [...path, key]
      const isInAbsent = mayBeAbsent || field._zod.def.type === 'optional'
      return [
        snake(key),
        shapeOf(field) ? groupOf(field, inner, isInAbsent) : settingOf(field, inner, mayBeAbsent),
      ]
    }),
  ),
})

/** Every setting of a schema, those of groups too. No two share a flag. */
export const settingsOf = (schema: z.core.$ZodType): Setting[] => {
  const settings = flatten(groupOf(schema))
  const flags = new Set(settings.map(({ flag }) => flag))
  assert(flags.size === settings.length, 'each setting has a flag of its own')
  return settings
}

export const isGroup = (member: Setting | SettingGroup): member is SettingGroup =>
  'members' in member

const flatten = (group: SettingGroup): Setting[] =>
  [...group.members.values()].flatMap((member) => (isGroup(member) ? flatten(member) : [member]))

const settingOf = (
  schema: z.core.$ZodType,
  path: readonly string[],
  mayBeAbsent: boolean,
): Setting => {
  const names = path.map(snake)
  return {
    key: path.join('.'),
    flag: `--${names.join('-').replaceAll('_', '-')}`,
    variable: `BERTH_${names.join('_').toUpperCase()}`,
    fileKey: names.join('.'),
    kind: kindOf(schema),
    schema,
    mayBeAbsent,
  }
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What a text given for the setting means. A text that means nothing stays a text, and fails. */
export const fromText = (setting: Setting, text: string): unknown => {
  switch (setting.kind) {
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text
    case 'boolean':
      return BOOLEANS.get(text.toLowerCase()) ?? text
    case 'array':
      return text.split(',').map((part) => part.trim())
    case 'record':
      return readJson(text)
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

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // Stays a text, which the schema refuses with the name it was given under.
    return text
  }
}

type Def = z.core.$ZodTypeDef & {
  readonly innerType?: z.core.$ZodType
  readonly in?: z.core.$ZodType
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
}

/** The fields of an object, looked for behind defaults; undefined for anything else. */
const shapeOf = (schema: z.core.$ZodType): Def['shape'] => {
  const def: Def = schema._zod.def
  if (def.type === 'object') return def.shape
  return def.innerType && shapeOf(def.innerType)
}

/** Looks through defaults, optionals and the like to what the schema takes in. */
const kindOf = (field: z.core.$ZodType): Setting['kind'] => {
  const def: Def = field._zod.def
  switch (def.type) {
    case 'number':
    case 'boolean':
    case 'array':
    case 'record':
      return def.type
    default: {
      const inner = def.innerType ?? def.in
      return inner ? kindOf(inner) : 'other'
    }
  }
}
