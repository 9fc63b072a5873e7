import { addKey, mintKey, type NewKey, type Scope } from '@berth/keys'
import { BerthError } from '@berth/kernel'
import { systemRng } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import type { CommandContext } from './run-command.ts'

export interface KeysNewOptions {
  readonly file: string
  readonly id: string
  readonly tenant: string
  readonly scope?: readonly Scope[]
  readonly model?: readonly string[]
  readonly requestsPerMinute?: number
  readonly tokensPerDay?: number
  readonly timeMsPerDay?: number
  readonly costPerDay?: number
}

/** Makes a key, prints it once, and adds its hash to the key file. */
export const keysNew = async ({
  terminal,
  options,
}: CommandContext & { readonly options: KeysNewOptions }): Promise<number> => {
  const key = mintKey(systemRng())
  try {
    addKey(options.file, key, entryOf(options))
  } catch (error) {
    if (BerthError.from(error).reason !== 'CONFIG_INVALID') throw error
    throw new CliError(EXIT.config, BerthError.from(error).message, 'The key file is as it was.')
  }
  // The key alone on stdout, for `KEY=$(berth keys new ...)`.
  terminal.print(key)
  terminal.note(`Added key:${options.id} to ${options.file}. The key is shown this once.`)
  terminal.note(
    `Gateways and cores that were started with --keys-file ${options.file} know it now.`,
  )
  return EXIT.ok
}

const entryOf = (options: KeysNewOptions): NewKey => ({
  id: options.id,
  tenant: options.tenant,
  scopes: options.scope ?? ['inference'],
  ...(options.model === undefined ? {} : { models: options.model }),
  ...limit('requests_per_minute', options.requestsPerMinute),
  ...limit('tokens_per_day', options.tokensPerDay),
  ...limit('time_ms_per_day', options.timeMsPerDay),
  ...limit('cost_per_day', options.costPerDay),
})

const limit = <K extends keyof NewKey>(key: K, value: number | undefined) =>
  value === undefined ? {} : { [key]: value }
