import { SCOPES } from '@berth/keys'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { keysLs } from './keys-ls.ts'
import { keysNew, type KeysNewOptions } from './keys-new.ts'
import { runCommand } from './run-command.ts'

const FILE = 'keys.yaml'

/** `berth keys`: the commands about the static key file. */
export const addKeysCommands = (program: Command): void => {
  const keys = program.command('keys').description('make and list the keys of a key file')
  keys
    .command('new')
    .description('make a key, print it once, and add its hash to the file')
    .requiredOption('--id <id>', 'name of the key; logs show key:<id>')
    .requiredOption('--tenant <tenant>', 'whose work it is')
    .addOption(
      new Option('--scope <scope...>', 'what it may do (default: inference)').choices(SCOPES),
    )
    .option('--model <id...>', 'models it may use (default: all)')
    .option('--requests-per-minute <n>', 'limit', count)
    .option('--tokens-per-day <n>', 'limit', count)
    .option('--time-ms-per-day <n>', 'limit of serving time', count)
    .option('--cost-per-day <amount>', 'limit, in the unit of the prices of core', amount)
    .option('--file <file>', 'key file, made where there is none', FILE)
    .action((options: KeysNewOptions) => runCommand((context) => keysNew({ ...context, options })))
  keys
    .command('ls')
    .description('list the entries of the file')
    .option('--file <file>', 'key file', FILE)
    .action((options: { readonly file: string }) =>
      runCommand((context) => keysLs({ ...context, options })),
    )
}

const count = (text: string): number => {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number above 0.')
}

const amount = (text: string): number => {
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : 0
  if (value > 0) return value
  throw new InvalidArgumentError('Expected a number above 0, such as 12.50.')
}
