import { z } from 'zod'
import { groupOf, isGroup, settingsOf, type Setting, type SettingGroup } from './setting.ts'

/** A setting as a reader of the documentation meets it. */
export interface SettingFacts {
  /** Where it stands in a file: `queue.full_policy`. */
  readonly name: string
  readonly flag: string
  readonly variable: string
  /** Such as `integer, 1 to 100000` or `reject | drop-lru`. */
  readonly type: string
  /** As JSON; undefined where there is none. */
  readonly default: string | undefined
  readonly isRequired: boolean
  /** Empty when its schema has no description. */
  readonly meaning: string
}

/** Every setting of a schema, in its order. */
export const describeSettings = (schema: z.ZodObject): SettingFacts[] =>
  settingsOf(schema).map((setting) => {
    const json = jsonOf(setting)
    return {
      name: setting.fileKey,
      flag: setting.flag,
      variable: setting.variable,
      type: nameType(json),
      default: json.default === undefined ? undefined : JSON.stringify(json.default),
      isRequired: !setting.mayBeAbsent && isRequired(setting),
      meaning: json.description ?? '',
    }
  })

/** The JSON Schema of a config file, for editors and checks. */
export const settingsJsonSchema = (schema: z.ZodObject): Record<string, unknown> => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...objectOf(groupOf(schema)),
})

type Json = z.core.JSONSchema.BaseSchema

const objectOf = ({ members }: SettingGroup): Record<string, unknown> => {
  const required = [...members].flatMap(([name, member]) =>
    !isGroup(member) && isRequired(member) ? [name] : [],
  )
  return {
    type: 'object',
    properties: Object.fromEntries(
      [...members].map(([name, member]) => [
        name,
        isGroup(member) ? objectOf(member) : jsonOf(member),
      ]),
    ),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

const isRequired = ({ schema }: Setting): boolean => !z.safeParse(schema, undefined).success

const jsonOf = ({ schema }: Setting): Json => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum
  return json
}

const nameType = (json: Json): string => {
  if (json.enum) return json.enum.map(String).join(' | ')
  switch (json.type) {
    case 'integer':
    case 'number': {
      // A number since JSON Schema draft 6; before, a flag.
      const above = Number(json.exclusiveMinimum ?? NaN)
      const isWhole = json.type === 'integer'
      const least = json.minimum ?? (isWhole && !Number.isNaN(above) ? above + 1 : undefined)
      const open = Number.isNaN(above) ? '' : `more than ${above}`
      const from = least === undefined ? open : `from ${least}`
      const to = json.maximum === undefined ? '' : `to ${json.maximum}`
      return [json.type, [from, to].filter(Boolean).join(' ')].filter(Boolean).join(', ')
    }
    case 'array':
      return 'list'
    case 'object':
      return 'map'
    default:
      return typeof json.type === 'string' ? json.type : 'text'
  }
}
