import { InvalidArgumentError, type Command } from 'commander'
import { explain, type ExplainOptions } from './explain.ts'
import type { Paths } from './paths.ts'
import { runCommand } from './run-command.ts'

/** `berth explain`: its flags. */
export const addExplainCommand = (program: Command, paths: Paths): void => {
  program
    .command('explain [model]')
    .description('show where a job would go and why, or what was decided for one')
    .option('--job <id>', 'a job id or correlation id: what was decided for it of late')
    .option('--ctx <n>', 'tokens of context it needs', count)
    .option('--prompt-tokens <n>', 'tokens of its prompt', count)
    .option('--max-tokens <n>', 'the most it may produce', count)
    .option('--route <path>', 'such as /v1/embeddings (default: chat)')
    .option('--pin <pool>', 'this pool or none')
    .option('--prefer <pool...>', 'these pools first')
    .option('--avoid <pool...>', 'not these pools')
    .option('--no-fallback', 'no other pool than the preferred ones')
    .option('--devices <id...>', 'exactly these devices')
    .option('--engine <name>', 'on this engine')
    .option('--quantization <name>', 'such as Q4_K_M')
    .option('--min-cc <n>', 'compute capability, such as 8.6', capability)
    .option('--min-vram <bytes>', 'free video memory', count)
    .option('--extension <name...>', 'extensions of the engine')
    .option('--session <id>', 'the session it belongs to')
    .option('--strict', 'only where it repeats itself', false)
    .option('--batch', 'as a batch job', false)
    .option('--url <url>', 'gateway (default: the fleet that `up` started)')
    .option('--json', 'as JSON', false)
    .action((model: string | undefined, options: ExplainOptions) =>
      runCommand((context) => explain({ ...context, paths, model, options })),
    )
}

const count = (text: string): number => {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number.')
}

const capability = (text: string): number => {
  if (/^\d{1,3}(\.\d{1,3})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a number such as 8.6.')
}
