import { readKeyFile, type AccessKey } from '@berth/keys'
import { messageOf } from '@berth/kernel'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import type { CommandContext } from './run-command.ts'
import { formatTable } from './table.ts'

/** Shows the entries of a key file. It holds no keys, so none can be shown. */
export const keysLs = async ({
  terminal,
  options,
}: CommandContext & { readonly options: { readonly file: string } }): Promise<number> => {
  const { ring } = read(options.file)
  for (const line of formatTable(HEADING, ring.keys.map(rowOf))) terminal.print(line)
  return EXIT.ok
}

const HEADING = ['ID', 'TENANT', 'SCOPES', 'MODELS', 'LIMITS']

const rowOf = ({ id, tenant, scopes, models, budget }: AccessKey): string[] => [
  id,
  tenant,
  [...scopes].join(','),
  models === undefined ? 'all' : [...models].join(','),
  limitsOf(budget),
]

const limitsOf = (budget: AccessKey['budget']): string => {
  const { requestsPerMinute, tokensPerDay, timeMsPerDay, costMicrosPerDay } = budget
  const limits = [
    requestsPerMinute === undefined ? [] : `${requestsPerMinute} requests/min`,
    tokensPerDay === undefined ? [] : `${tokensPerDay} tokens/day`,
    timeMsPerDay === undefined ? [] : `${timeMsPerDay} ms/day`,
    costMicrosPerDay === undefined ? [] : `${costMicrosPerDay / 1_000_000} cost/day`,
  ]
  return limits.flat().join(', ') || 'none'
}

const read = (file: string) => {
  try {
    return readKeyFile(file)
  } catch (error) {
    throw new CliError(EXIT.config, messageOf(error), 'Make a key: ./berth keys new --help')
  }
}
