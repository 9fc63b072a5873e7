import { InvalidArgumentError, Option, type Command } from 'commander'
import {
  modelsFit,
  modelsLoad,
  modelsLs,
  modelsPull,
  modelsRm,
  modelsUnload,
  type LoadOptions,
  type PullOptions,
  type UnloadOptions,
} from './models.ts'
import type { Paths } from './paths.ts'
import type { PoolsContext, PoolsOptions } from './pools.ts'
import { runCommand } from './run-command.ts'

const REF = `REF is what "model" of a pools file may be: hf:ORG/NAME[@REVISION][:FILE.gguf],
https://HOST/FILE.gguf, ollama:NAME:TAG, oci:REGISTRY/NAME:TAG, file:PATH.`

/** `berth models`: its commands and flags. */
export const addModelsCommands = (program: Command, paths: Paths): void => {
  const models = program
    .command('models')
    .description('show models and their files, bring them, remove them, load them')
    .addHelpText('after', `\n${REF}`)
  const add = (usage: string, description: string) =>
    models
      .command(usage)
      .description(description)
      .addOption(new Option('--url <url>', 'gateway (default: the fleet that `up` started)'))
      .option('--json', 'as JSON', false)
  const run =
    <O extends PoolsOptions>(
      command: (context: PoolsContext<O>, name: string) => Promise<number>,
    ) =>
    (name: string, options: O) =>
      runCommand((context) => command({ ...context, paths, options }, name))

  add('ls', 'models in pools, and model files on hosts')
    .option('--host <id>', 'files of this host only')
    .action((options: PoolsOptions) =>
      runCommand((context) => modelsLs({ ...context, paths, options })),
    )
  waiting(add('pull <ref>', "bring a model's files to a host"))
    .option('--host <id>', 'which host (default: the only one)')
    .option('--digest <sha256:hex>', 'what its single file must hash to')
    .addHelpText('after', `\n${REF}`)
    .action(run<PullOptions>(modelsPull))
  add('rm <ref>', "remove a model's files from a host; refused while a pool needs them")
    .option('--host <id>', 'which host (default: the one that has it)')
    .action(run(modelsRm))
  add('fit <ref>', 'what a model would take in each pool, term by term; changes nothing')
    .option('--pool <id>', 'this pool only')
    .action(run(modelsFit))
  addLoads((usage, description) => waiting(add(usage, description)), run)
}

type Add = (usage: string, description: string) => Command
type Run = <O extends PoolsOptions>(
  command: (context: PoolsContext<O>, name: string) => Promise<number>,
) => (name: string, options: O) => Promise<void>

const addLoads = (add: Add, run: Run): void => {
  add('load <ref>', 'load a model into a pool; where its engine has one model, that changes')
    .requiredOption('--pool <id>', 'the pool')
    .option('--id <name>', 'what clients call it, where an engine takes adapters')
    .option('--pin', 'never unload it for being idle', false)
    .option('--ttl <s>', 'unload it after being idle for so long', seconds)
    .option('--deadline <s>', 'how long requests in flight may go on', seconds)
    .option('--dry-run', 'only tell what it would take, and what would have to leave', false)
    .action(run<LoadOptions>(modelsLoad))
  add('unload <model>', "take a model out of the memory of a pool's engine; its files stay")
    .requiredOption('--pool <id>', 'the pool')
    .option('--deadline <s>', 'how long its requests may go on (default: refused if any)', seconds)
    .option('--force', 'end what still runs', false)
    .action(run<UnloadOptions>(modelsUnload))
}

const waiting = (command: Command) =>
  command.option('--no-wait', 'leave once it has begun; it goes on')

const seconds = (text: string): number => {
  const value = Number(text)
  if (value > 0 && value <= 86_400) return value
  throw new InvalidArgumentError('Expected seconds, 86400 at most.')
}
