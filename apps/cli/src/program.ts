import { Command, InvalidArgumentError } from 'commander'
import { chat, type ChatContext } from './chat.ts'
import { addBenchCommand } from './bench-command.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { down } from './down.ts'
import { addExplainCommand } from './explain-command.ts'
import { addKeysCommands } from './keys.ts'
import type { Paths } from './paths.ts'
import { addPoolsCommands } from './pools-command.ts'
import { addModelsCommands } from './models-command.ts'
import { ENGINES } from './engine-choice.ts'
import { runCommand } from './run-command.ts'
import { status, type StatusContext } from './status.ts'
import { test, type TestContext } from './test.ts'
import { SUITE_NAMES } from './suites.ts'
import { up } from './up.ts'
import type { UpOptions } from './up-context.ts'
import { version } from './version.ts'

/** The commands and their flags. Each hands over to the file of its name. */
export const createProgram = (paths: Paths): Command => {
  const program = new Command('berth')
    .description('Runs a fleet of self-hosted LLM engines as one service.')
    .exitOverride()
    .showHelpAfterError()

  program
    .command('up')
    .description('start a fleet on this machine and keep it running')
    .option('--port <n>', 'port of the gateway, 0 for a free one', port, 8080)
    .option(
      '--model <ref>',
      'a GGUF file, or file:, hf:, https:, oci:, ollama: (default: see docs)',
    )
    .option('--engine <name>', `engine of the pool: ${ENGINES.join(', ')} (default: by model)`)
    .option('--engine-url <url>', 'where a server answers that runs already')
    .option('--pools <file>', 'a pools.yaml of your own instead of one pool')
    .option('--detach', 'leave it running in the background', false)
    .action((options: UpOptions) => runCommand((context) => up({ ...context, paths, options })))
  program
    .command('down')
    .description('stop the fleet that `up` started')
    .action(() => runCommand((context) => down({ ...context, paths })))
  program
    .command('status')
    .description('show services, pools and addresses')
    .option('--json', 'as JSON', false)
    .action((options: StatusContext['options']) =>
      runCommand((context) => status({ ...context, paths, options })),
    )
  program
    .command('chat <message...>')
    .description('send a message and stream the answer')
    .option('--model <id>', 'model id (default: the first one served)')
    .option('--url <url>', 'gateway (default: the fleet that `up` started)')
    .action((words: string[], options: ChatContext['options']) =>
      runCommand((context) => chat({ ...context, paths, options, message: words.join(' ') })),
    )
  program
    .command('test')
    .description('run the checks and tests')
    .option('--only <suite...>', `only these: ${SUITE_NAMES.join(', ')}`)
    .option('--full', 'also what takes over an hour', false)
    .action((options: TestContext['options']) =>
      runCommand((context) => test({ ...context, paths, options })),
    )
  addDoctorCommand(program, paths)
  addExplainCommand(program, paths)
  addKeysCommands(program)
  addModelsCommands(program, paths)
  addPoolsCommands(program, paths)
  addBenchCommand(program, paths)
  program.command('version').description('print the version').action(version(paths))
  return program
}

const port = (text: string): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value
  throw new InvalidArgumentError('Expected a number from 0 to 65535.')
}
