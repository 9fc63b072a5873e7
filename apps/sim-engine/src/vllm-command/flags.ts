/** A flag of vLLM's command line, in the versions that have it. */
export interface Flag {
  readonly kind: 'switch' | 'text' | 'int' | 'float' | 'texts'
  readonly choices?: readonly string[]
  readonly since?: string
  /** The first version without it. */
  readonly until?: string
}

const DTYPES = ['auto', 'half', 'float16', 'bfloat16', 'float', 'float32']
const LEVELS = ['debug', 'info', 'warning', 'error', 'critical', 'trace']

/** The flags Berth knows of, and a few beside them. An unknown one ends the process, as there. */
export const FLAGS: Readonly<Record<string, Flag>> = {
  '--model': { kind: 'text' },
  '--host': { kind: 'text' },
  '--port': { kind: 'int' },
  '--api-key': { kind: 'text' },
  '--served-model-name': { kind: 'texts' },
  '--revision': { kind: 'text' },
  '--download-dir': { kind: 'text' },
  '--dtype': { kind: 'text', choices: DTYPES },
  '--quantization': { kind: 'text' },
  '--kv-cache-dtype': { kind: 'text' },
  '--load-format': { kind: 'text' },
  '--seed': { kind: 'int' },
  '--tensor-parallel-size': { kind: 'int' },
  '--pipeline-parallel-size': { kind: 'int' },
  '--gpu-memory-utilization': { kind: 'float' },
  '--kv-cache-memory-bytes': { kind: 'int', since: '0.11.0' },
  '--max-model-len': { kind: 'int' },
  '--max-num-seqs': { kind: 'int' },
  '--max-num-batched-tokens': { kind: 'int' },
  '--cpu-offload-gb': { kind: 'float', since: '0.5.0' },
  '--trust-remote-code': { kind: 'switch' },
  '--enforce-eager': { kind: 'switch' },
  '--enable-prefix-caching': { kind: 'switch' },
  '--no-enable-prefix-caching': { kind: 'switch', since: '0.9.0' },
  '--enable-lora': { kind: 'switch' },
  '--max-loras': { kind: 'int' },
  '--max-lora-rank': { kind: 'int' },
  '--enable-sleep-mode': { kind: 'switch', since: '0.7.0' },
  '--enable-auto-tool-choice': { kind: 'switch', since: '0.6.0' },
  '--tool-call-parser': { kind: 'text', since: '0.6.0' },
  '--reasoning-parser': { kind: 'text', since: '0.7.0' },
  '--disable-log-requests': { kind: 'switch', until: '0.12.0' },
  '--enable-log-requests': { kind: 'switch', since: '0.10.1' },
  '--uvicorn-log-level': { kind: 'text', choices: LEVELS },
  '--disable-uvicorn-access-log': { kind: 'switch', since: '0.8.3' },
  '--shutdown-timeout': { kind: 'int', since: '0.22.0' },
}

/** True for a flag that `version` has. */
export const isOf = ({ since, until }: Flag, version: string): boolean =>
  (since === undefined || compare(version, since) >= 0) &&
  (until === undefined || compare(version, until) < 0)

/** Negative when `one` is older. */
export const compare = (one: string, other: string): number => {
  const numbers = (text: string) => (/^\d+\.\d+\.\d+/.exec(text)?.[0] ?? '').split('.').map(Number)
  const [a, b] = [numbers(one), numbers(other)]
  const at = a.findIndex((number, index) => number !== b[index])
  return at < 0 ? 0 : a[at]! - (b[at] ?? 0)
}
