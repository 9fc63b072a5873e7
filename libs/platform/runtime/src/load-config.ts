import { readFileSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import type { z } from 'zod'
import { listProblems } from './list-problems.ts'
import type { ProcessEnv } from './process-env.ts'
import { readFlags } from './read-flags.ts'
import { readYamlFile } from './read-yaml-file.ts'
import { fromText, settingsOf, type Setting } from './setting.ts'

/** Whose settings to load, and from where. */
export interface LoadConfigOptions<S extends z.ZodObject> {
  /** The service, in front of the list of problems. */
  readonly name: string
  /** Flat, with camelCase keys: `natsUrl` is `--nats-url`, `BERTH_NATS_URL`, `nats_url`. */
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
 * The settings of a service, frozen: flag over environment over YAML file over default. Texts
 * from flags and environment become numbers, booleans and (comma separated) arrays where the
 * schema asks for them; an empty variable counts as not set; unknown `BERTH_*` variables are left
 * to other services. `BERTH_NATS_PASSWORD_FILE` names a file that holds `natsPassword`, for
 * secrets that an orchestrator mounts; so for every setting. Throws one `CONFIG_INVALID` that
 * lists everything that is wrong.
 */
export const loadConfig = <S extends z.ZodObject>(
  options: LoadConfigOptions<S>,
): Readonly<z.infer<S>> => {
  const { env } = options.env
  const settings = settingsOf(options.schema)
  const flags = readFlags(options.env.argv, settings)
  const problems = [...flags.problems]
  const given = new Map<string, Given>()

  const file = flags.configFile ?? (env['BERTH_CONFIG'] || undefined)
  if (file !== undefined) readFile(file, settings, given, problems)
  for (const setting of settings) {
    readSecretFile(setting, env[`${setting.variable}_FILE`], given, problems)
    const text = env[setting.variable]
    if (text) given.set(setting.key, { value: fromText(setting, text), source: setting.variable })
    const flag = flags.values.get(setting.key)
    if (flag !== undefined)
      given.set(setting.key, { value: fromText(setting, flag), source: setting.flag })
  }

  const input = Object.fromEntries([...given].map(([key, { value }]) => [key, value]))
  const result = options.schema.safeParse(input)
  if (!result.success) problems.push(...nameSources(result.error, settings, given))
  if (problems.length > 0 || !result.success) throw invalid(options.name, problems)
  return Object.freeze(result.data)
}

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
  settings: readonly Setting[],
  given: Map<string, Given>,
  problems: string[],
) => {
  let content: unknown
  try {
    content = readYamlFile(file) ?? {}
  } catch (error) {
    // The other problems are still worth telling in the same breath.
    problems.push(...BerthError.from(error).message.split('\n'))
    return
  }
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push(`${file}: expected a mapping of settings`)
    return
  }
  for (const [fileKey, value] of Object.entries(content as object)) {
    const setting = settings.find((candidate) => candidate.fileKey === fileKey)
    if (!setting) problems.push(`${file}: ${fileKey} is not a known setting`)
    else given.set(setting.key, { value, source: `${file}: ${fileKey}` })
  }
}

/** Rewrites the first step of each path to the name under which the value was given. */
const nameSources = (
  error: z.ZodError,
  settings: readonly Setting[],
  given: ReadonlyMap<string, Given>,
): string[] =>
  listProblems(error).map((problem) => {
    const key = /^\w+/.exec(problem)?.[0] ?? ''
    const setting = settings.find((candidate) => candidate.key === key)
    if (!setting) return problem
    const source = given.get(key)?.source
    if (source !== undefined) return source + problem.slice(key.length)
    return `${setting.fileKey} is required: set ${setting.flag} or ${setting.variable}`
  })

const invalid = (name: string, problems: readonly string[]) =>
  new BerthError(
    'CONFIG_INVALID',
    `The configuration of ${name} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
    { facts: { problems: problems.length } },
  )
