import type { EngineMetrics } from '@berth/supervision'

/** All samples of a Prometheus text by metric name. Lines that are none are passed over. */
export const readSamples = (text: string): ReadonlyMap<string, readonly number[]> => {
  const samples = new Map<string, number[]>()
  for (const line of text.split('\n')) {
    // A label's value may hold any character, an escaped quote too; the value stands after it.
    const match = /^([A-Za-z_:][\w:]*)(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s+(\S+)/.exec(line)
    const value = Number(match?.[2])
    if (match === null || !Number.isFinite(value)) continue
    const name = match[1]!
    const known = samples.get(name)
    if (known) known.push(value)
    else samples.set(name, [value])
  }
  return samples
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const most = (values: readonly number[]): number =>
  values.reduce((a, b) => Math.max(a, b), -Infinity)

/** Which names hold a fact, newest first, and how the samples of one name become one number. */
const NAMES: {
  readonly [K in keyof Required<EngineMetrics>]: {
    readonly names: readonly string[]
    readonly of: (values: readonly number[]) => number
  }
} = {
  running: { names: ['vllm:num_requests_running', 'llamacpp:requests_processing'], of: sum },
  waiting: { names: ['vllm:num_requests_waiting', 'llamacpp:requests_deferred'], of: sum },
  promptTokensTotal: {
    names: ['vllm:prompt_tokens_total', 'llamacpp:prompt_tokens_total'],
    of: sum,
  },
  generatedTokensTotal: {
    names: ['vllm:generation_tokens_total', 'llamacpp:tokens_predicted_total'],
    of: sum,
  },
  // Only the embedded engine has it.
  tokensInProgress: { names: ['llamacpp:tokens_in_progress'], of: sum },
  // `gpu_cache_usage_perc` before vLLM 0.9.2; llama-server has no such gauge.
  kvUsageRatio: { names: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'], of: most },
}

/**
 * The facts Berth reads from an engine's metrics (vLLM and llama-server names). An engine that
 * does not say something leaves it out. llama-server counts tokens when a request ends, not before.
 */
export const readEngineMetrics = (text: string): EngineMetrics => {
  const samples = readSamples(text)
  const facts = Object.entries(NAMES).flatMap(([fact, { names, of }]) => {
    const values = names.map((name) => samples.get(name)).find((found) => found !== undefined)
    return values === undefined ? [] : [[fact, of(values)] as const]
  })
  return Object.fromEntries(facts)
}
