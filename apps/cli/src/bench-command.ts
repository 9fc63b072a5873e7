import { systemClock } from '@berth/runtime'
import { InvalidArgumentError, type Command } from 'commander'
import { EXIT } from './exit-code.ts'
import type { Paths } from './paths.ts'
import { tellStep, untilOver } from './pool-change.ts'
import { changePool, type MeasurementDetail, type OperationDetail } from './pools-client.ts'
import { operationLine } from './pools-text.ts'
import { gatewayOf, show, type PoolsContext, type PoolsOptions } from './pools.ts'
import { runCommand } from './run-command.ts'
import { formatTable } from './table.ts'

interface BenchOptions extends PoolsOptions {
  readonly seconds: number
}

/** `berth bench pool`: its flags. */
export const addBenchCommand = (program: Command, paths: Paths): void => {
  program
    .command('bench')
    .description('measure what runs')
    .command('pool <pool>')
    .description("measure a pool's engine, alone and under load, and keep what it learned")
    .option('--seconds <n>', 'how long it may take, 60 at most', seconds, 10)
    .option('--url <url>', 'gateway (default: the fleet that `up` started)')
    .option('--json', 'the operation as JSON', false)
    .action((id: string, options: BenchOptions) =>
      runCommand((context) => benchPool({ ...context, paths, options }, id)),
    )
}

const benchPool = async (context: PoolsContext<BenchOptions>, id: string): Promise<number> => {
  const { options, terminal } = context
  const gateway = gatewayOf(context)
  const body = { seconds: options.seconds }
  const asked = await changePool(gateway, { id, command: 'bench', body })
  const operation = await untilOver(gateway, asked, {
    clock: systemClock(),
    tell: options.json ? () => undefined : (now) => tellStep(terminal, now),
  })
  terminal.clear()
  show(context, operation, benchText(operation))
  return operation.status === 'completed' ? EXIT.ok : EXIT.failed
}

/** What was measured as a table, and how the bench ended when it did not end well. */
export const benchText = (operation: OperationDetail): string[] => {
  const { measurements = [], status } = operation
  const heading = ['PROMPT', 'AT ONCE', 'RUNS', 'FAILED', 'FIRST TOKEN P50', 'P95']
  const table = formatTable([...heading, 'TOKENS/S EACH', 'TOGETHER'], measurements.map(rowOf))
  return [
    ...(measurements.length > 0 ? table : []),
    ...(status === 'completed' ? [] : [operationLine(operation)]),
  ]
}

const rowOf = (measured: MeasurementDetail): string[] => [
  ...[measured.prompt_tokens, measured.concurrency, measured.runs, measured.failed].map(String),
  ...[measured.first_token_p50_ms, measured.first_token_p95_ms].map((ms) => `${ms.toFixed(1)} ms`),
  ...[measured.tokens_per_s, measured.total_tokens_per_s].map((speed) => speed.toFixed(1)),
]

const seconds = (text: string): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 60) return value
  throw new InvalidArgumentError('Expected whole seconds, 60 at most.')
}
