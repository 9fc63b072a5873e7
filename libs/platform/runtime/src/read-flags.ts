import { parseArgs } from 'node:util'
import type { Setting } from './setting.ts'

export interface Flags {
  /** Key of the setting -> its text. A boolean flag without a value reads `true`. */
  readonly values: ReadonlyMap<string, string>
  readonly configFile: string | undefined
  readonly problems: readonly string[]
}

/** Reads `--name value` and `--name=value`; the last of several wins. Never throws. */
export const readFlags = (argv: readonly string[], settings: readonly Setting[]): Flags => {
  const byName = new Map(settings.map((setting) => [setting.flag.slice(2), setting]))
  const isBoolean = (name: string) => byName.get(name)?.kind === 'boolean'
  const options = Object.fromEntries(
    [...byName.keys(), 'config'].map((name) => [
      name,
      { type: isBoolean(name) ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  // `strict` would stop at the first problem; the tokens let us list them all.
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })

  const values = new Map<string, string>()
  const problems: string[] = []
  let configFile: string | undefined
  let unknownAt = -2
  for (const token of tokens) {
    if (token.kind === 'positional') {
      // What follows an unknown flag is most likely its value, and told with it.
      if (token.index !== unknownAt + 1) problems.push(`unexpected argument ${token.value}`)
    } else if (token.kind === 'option') {
      const setting = byName.get(token.name)
      const value = token.value ?? (isBoolean(token.name) ? 'true' : undefined)
      if (!setting && token.name !== 'config') {
        problems.push(`${token.rawName} is not a known flag`)
        unknownAt = token.index
      } else if (value === undefined || (!token.inlineValue && value.startsWith('--'))) {
        problems.push(`${token.rawName} needs a value`)
      } else if (setting) values.set(setting.key, value)
      else configFile = value
    }
  }
  return { values, configFile, problems }
}
