import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Paths } from './paths.ts'
import { changePoolBy, type ChangeOptions } from './pool-change.ts'
import { poolsHistory, poolsLogs, poolsLs, poolsShow, type PoolsOptions } from './pools.ts'
import { runCommand } from './run-command.ts'

/** `berth pools`: its commands and flags. */
export const addPoolsCommands = (program: Command, paths: Paths): void => {
  const pools = program.command('pools').description('show pools, and change them')
  pools
    .command('ls')
    .description('all pools of the fleet')
    .addOption(url())
    .option('--json', 'as JSON', false)
    .action((options: PoolsOptions) =>
      runCommand((context) => poolsLs({ ...context, paths, options })),
    )
  const one = (name: string, description: string) =>
    pools.command(`${name} <pool>`).description(description).addOption(url())
  one('show', 'everything about a pool')
    .option('--json', 'as JSON', false)
    .action((id: string, options: PoolsOptions) =>
      runCommand((context) => poolsShow({ ...context, paths, options }, id)),
    )
  one('history', 'the last transitions of a pool, and what was asked of it')
    .option('--json', 'as JSON', false)
    .action((id: string, options: PoolsOptions) =>
      runCommand((context) => poolsHistory({ ...context, paths, options }, id)),
    )
  one('logs', "the end of its engine's log")
    .option('-f, --follow', 'go on as it grows, until Ctrl-C', false)
    .option('-n, --lines <n>', 'how many of the last lines, 1000 at most', lines, 100)
    .action((id: string, options: PoolsOptions & { follow: boolean; lines: number }) =>
      runCommand((context) => poolsLogs({ ...context, paths, options }, id)),
    )
  addChanges(one, paths)
}

const addChanges = (one: (name: string, description: string) => Command, paths: Paths): void => {
  const change = (name: string, description: string) =>
    one(name, description)
      .option('--wait', 'until it is over; the exit code then says how it ended', false)
      .option('--json', 'the operation as JSON', false)
  const act = (command: string) => (id: string, options: ChangeOptions) =>
    runCommand((context) => changePoolBy({ ...context, paths, options }, id, { command }))

  change('start', 'start its engine').action(act('start'))
  change('stop', 'stop its engine').addOption(deadline()).action(act('stop'))
  change('restart', 'start its engine anew').addOption(deadline()).action(act('restart'))
  change('drain', 'take nothing new, let requests in flight finish')
    .addOption(deadline().default(300))
    .addOption(onDeadline())
    .action(act('drain'))
  change('undrain', 'take requests again').action(act('undrain'))
  change('sleep', 'put the weights of its engine aside, where it can')
    .addOption(deadline())
    .action(act('sleep'))
  change('wake', 'take them back').action(act('wake'))
  change('reset-restarts', 'forget its restarts and close its breaker').action(
    act('reset-restarts'),
  )
  change('reload', 'serve another model; the old one comes back when the new one fails')
    .argument('[model]', 'as model in the pools file (default: the model of the pools file)')
    .addOption(deadline())
    .addOption(onDeadline())
    .action((id: string, model: string | undefined, options: ChangeOptions) =>
      runCommand((context) =>
        changePoolBy({ ...context, paths, options }, id, { command: 'reload', model }),
      ),
    )
}

const url = () => new Option('--url <url>', 'gateway (default: the fleet that `up` started)')

const deadline = () =>
  new Option('--deadline <s>', 'how long requests in flight may go on').argParser(seconds)

const onDeadline = () =>
  new Option('--on-deadline <what>', 'end what still runs, or give up').choices(['force', 'abort'])

const seconds = (text: string): number => {
  const value = Number(text)
  if (value > 0 && value <= 86_400) return value
  throw new InvalidArgumentError('Expected seconds, 86400 at most.')
}

const lines = (text: string): number => {
  if (/^\d{1,4}$/.test(text) && Number(text) <= 1_000) return Number(text)
  throw new InvalidArgumentError('Expected a whole number, 1000 at most.')
}
