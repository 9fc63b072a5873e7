import { readFileSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import type { z } from 'zod'
import { listProblems } from './list-problems.ts'
import type { ProcessEnv } from './process-env.ts'
import { readFlags } from './read-flags.ts'
import { readYamlFile } from './read-yaml-file.ts'
import {
  fromText,
  groupOf,
  isGroup,
  settingsOf,
  type Setting,
  type SettingGroup,
} from './setting.ts'

/** Whose settings to load, and from where. */
export interface LoadConfigOptions<S extends z.ZodObject> {
  /** The service, in front of the list of problems. */
  readonly name: string
  /**
   * With camelCase keys: `natsUrl` is `--nats-url`, `BERTH_NATS_URL`, `nats_url`. In a group
   * (`settingGroup`) `queue.fullPolicy` is `--queue-full-policy`, and `full_policy` below `queue`.
   */
  readonly schema: S
  readonly env: ProcessEnv
  /** `--config FILE` or `BERTH_CONFIG` names a YAML file. This is the only name there is. */
  readonly fileKey?: 'config'
}

/** A value and the name, in the words of whoever wrote it, of where it came from. */
interface Given {
  readonly value: unknown
  readonly source: string
}

/**
 * The settings of a service, frozen: flag over environment over YAML file over default. Texts from
 * flags and environment become numbers, booleans and (comma separated) arrays where the schema
 * asks for them, and JSON becomes a map; an empty variable counts as not set; unknown `BERTH_*`
 * variables are left to other services. `BERTH_NATS_PASSWORD_FILE` names a file that holds
 * `natsPassword`, for secrets that an orchestrator mounts; so for every setting. Throws one
 * `CONFIG_INVALID` that lists everything that is wrong.
 */
export const loadConfig = <S extends z.ZodObject>(
  options: LoadConfigOptions<S>,
): Readonly<z.infer<S>> => {
  const { env } = options.env
  const settings = settingsOf(options.schema)
  const flags = readFlags(options.env.argv, settings)
  const problems = [...flags.problems]
  const given = new Map<string, Given>()

  const file = configFileOf(options)
  if (file !== undefined) readFile(file, groupOf(options.schema), given, problems)
  for (const setting of settings) {
    readSecretFile(setting, env[`${setting.variable}_FILE`], given, problems)
    const text = env[setting.variable]
    if (text) given.set(setting.key, { value: fromText(setting, text), source: setting.variable })
    const flag = flags.values.get(setting.key)
    if (flag !== undefined)
      given.set(setting.key, { value: fromText(setting, flag), source: setting.flag })
  }

  const result = options.schema.safeParse(toInput(given))
  if (!result.success) problems.push(...nameSources(result.error, settings, given))
  if (problems.length > 0 || !result.success) throw invalid(options.name, problems)
  return freeze(result.data)
}

/** The YAML file the settings come from; undefined without one. */
export const configFileOf = <S extends z.ZodObject>({
  schema,
  env: { argv, env },
}: LoadConfigOptions<S>): string | undefined =>
  readFlags(argv, settingsOf(schema)).configFile ?? (env['BERTH_CONFIG'] || undefined)

/** Back from `queue.capacity` to objects in objects. */
const toInput = (given: ReadonlyMap<string, Given>): Record<string, unknown> => {
  const input: Record<string, unknown> = {}
  for (const [key, { value }] of given) {
    const path = key.split('.')
    const last = path.pop()!
    let at = input
    for (const name of path) at = (at[name] ??= {}) as Record<string, unknown>
    at[last] = value
  }
  return input
}

/** Groups and maps too, but not what a schema made of a text, such as bytes. */
const freeze = <T>(value: T): Readonly<T> => {
  if (typeof value !== 'object' || value === null) return value
  if (!isPlain(value) && !Array.isArray(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}

const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype

/** Secrets are mounted as files, which end with the line break of whoever wrote them. */
const readSecretFile = (
  setting: Setting,
  path: string | undefined,
  given: Map<string, Given>,
  problems: string[],
) => {
  if (!path) return
  const source = `${setting.variable}_FILE`
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    given.set(setting.key, { value: fromText(setting, text), source })
  } catch (error) {
    problems.push(`${source}: ${messageOf(error)}`)
  }
}

const readFile = (
  file: string,
  group: SettingGroup,
  given: Map<string, Given>,
  problems: string[],
) => {
  let content: unknown
  try {
    content = readYamlFile(file)
  } catch (error) {
    // The other problems are still worth telling in the same breath.
    problems.push(...BerthError.from(error).message.split('\n'))
    return
  }
  readGroup({ file, given, problems }, group, content, [])
}

interface Reading {
  readonly file: string
  readonly given: Map<string, Given>
  readonly problems: string[]
}

/** Takes what stands in one group of a file, at `path`. An empty group is one without settings. */
const readGroup = (
  reading: Reading,
  group: SettingGroup,
  content: unknown,
  path: readonly string[],
): void => {
  const { file, given, problems } = reading
  if (typeof (content ?? {}) !== 'object' || Array.isArray(content)) {
    const where = path.length === 0 ? file : `${file}: ${path.join('.')}`
    problems.push(`${where}: expected a mapping of settings`)
    return
  }
  for (const [name, value] of Object.entries(content ?? {})) {
    const inner = [...path, name]
    const source = `${file}: ${inner.join('.')}`
    const member = group.members.get(name)
    if (!member) problems.push(`${source} is not a known setting`)
    else if (isGroup(member)) readGroup(reading, member, value, inner)
    else given.set(member.key, { value, source })
  }
}

/** Rewrites the start of each path to the name under which the value was given. */
const nameSources = (
  error: z.ZodError,
  settings: readonly Setting[],
  given: ReadonlyMap<string, Given>,
): string[] =>
  listProblems(error).map((problem) => {
    const setting = settings.find(({ key }) => startsAt(problem, key))
    if (!setting) return problem
    const source = given.get(setting.key)?.source
    if (source !== undefined) return source + problem.slice(setting.key.length)
    return `${setting.fileKey} is required: set ${setting.flag} or ${setting.variable}`
  })

const startsAt = (problem: string, key: string): boolean =>
  problem.startsWith(key) && !/\w/.test(problem.charAt(key.length))

const invalid = (name: string, problems: readonly string[]) =>
  new BerthError(
    'CONFIG_INVALID',
    `The configuration of ${name} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
    { facts: { problems: problems.length } },
  )
