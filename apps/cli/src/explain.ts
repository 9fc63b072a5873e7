import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { decisionText, explanationText } from './explain-text.ts'
import type { Paths } from './paths.ts'
import { explainJob, readDecision, type Gateway } from './placement-client.ts'
import type { CommandContext } from './run-command.ts'
import { readRunState } from './run-state.ts'

/** The flags of `explain`, as the command line gives them. */
export interface ExplainOptions {
  readonly job?: string
  readonly route?: string
  readonly engine?: string
  readonly ctx?: number
  readonly promptTokens?: number
  readonly maxTokens?: number
  readonly pin?: string
  readonly prefer?: readonly string[]
  readonly avoid?: readonly string[]
  readonly devices?: readonly string[]
  /** `false` with `--no-fallback`. */
  readonly fallback: boolean
  readonly minVram?: number
  readonly quantization?: string
  readonly minCc?: number
  readonly extension?: readonly string[]
  readonly session?: string
  readonly strict: boolean
  readonly batch: boolean
  readonly url?: string
  readonly json: boolean
}

export interface ExplainContext extends CommandContext {
  readonly paths: Paths
  readonly model: string | undefined
  readonly options: ExplainOptions
}

const DEFAULT_URL = 'http://127.0.0.1:8080'

/** Shows where a job would go, or what was decided for one; exits with `failed` when it cannot run. */
export const explain = async (context: ExplainContext): Promise<number> => {
  const { paths, options, terminal, signal, model } = context
  const url = (options.url ?? readRunState(paths)?.url ?? DEFAULT_URL).replace(/\/+$/, '')
  const print = (json: unknown, lines: readonly string[]) => {
    if (options.json) terminal.print(JSON.stringify(json, null, 2))
    else for (const line of lines) terminal.print(line)
  }
  const gateway: Gateway = { url, signal }
  if (options.job !== undefined) {
    const said = await readDecision(gateway, options.job)
    print(said, decisionText(said))
    return EXIT.ok
  }
  if (model === undefined) {
    throw new CliError(
      EXIT.failed,
      'Which model, or which job?',
      'Try ./berth explain MODEL, or ./berth explain --job ID.',
    )
  }
  const said = await explainJob(gateway, toJob(model, options))
  print(said, explanationText(said))
  return said.decision === 'impossible' ? EXIT.failed : EXIT.ok
}

/** A job in the names of the API; what was not said is left out. */
export const toJob = (model: string, options: ExplainOptions) => ({
  model_id: model,
  ...given('route', options.route),
  ...given('engine', options.engine),
  ...given('required_ctx', options.ctx),
  ...given('prompt_tokens', options.promptTokens),
  ...given('max_tokens', options.maxTokens),
  ...given('session_id', options.session),
  ...(options.strict ? { determinism: 'strict' } : {}),
  ...(options.batch ? { priority: 'batch' } : {}),
  placement: {
    ...given('pin_pool_id', options.pin),
    ...given('prefer_pools', options.prefer),
    ...given('avoid_pools', options.avoid),
    ...given('require_device_mask', options.devices),
    allow_fallback: options.fallback,
  },
  requirements: {
    ...given('min_vram_bytes', options.minVram),
    ...given('quantization', options.quantization),
    ...given('min_compute_cap', options.minCc),
    ...given('required_extensions', options.extension),
  },
})

const given = <T>(name: string, value: T | undefined): Record<string, T> =>
  value === undefined ? {} : { [name]: value }
