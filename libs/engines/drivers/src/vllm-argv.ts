import { BerthError } from '@berth/kernel'
import type { EngineSpec, LaunchGrant } from '@berth/supervision'
import { memoryShare } from './vllm-memory.ts'
import { readRepository } from './vllm-model-id.ts'
import { isAtLeast, isBefore, OLDEST, readVllmVersion } from './vllm-version.ts'

/** The module of every vLLM there ever was; the program `vllm` came later. */
const MODULE = 'vllm.entrypoints.openai.api_server'
/** Between the engine's own deadline for its requests and SIGKILL. */
const SHUTDOWN_MARGIN_S = 2

/** Python by its name: then vLLM is a module of it. */
export const isPython = (program: string): boolean =>
  /^(?:python|pypy)[\d.]*$/.test(program.slice(program.lastIndexOf('/') + 1))

/** What is said to vLLM of its model. */
interface Served {
  readonly model: string
  readonly revision?: string
}

/** The whole command line. Throws `CONFIG_INVALID` for a vLLM that is too old, or no model. */
export const vllmArgv = (spec: EngineSpec, grant: LaunchGrant): string[] => {
  const program = grant.program ?? spec.binaryPath ?? 'vllm'
  const version = readVllmVersion(grant.programVersion ?? '')
  if (isBefore(version, OLDEST))
    throw new BerthError(
      'CONFIG_INVALID',
      `${program} is vLLM ${version}, and Berth needs ${OLDEST} or newer. Upgrade it on this host.`,
    )
  const served = servedOf(spec, grant)
  return [
    ...(isPython(program)
      ? [program, '-m', MODULE, '--model', served.model]
      : [program, 'serve', served.model]),
    ...placeFlags(spec, grant, served),
    ...memoryFlags(spec, grant, version),
    ...optionFlags(spec, version),
    ...logFlags(version),
    ...stopFlags(spec, version),
  ]
}

const servedOf = (spec: EngineSpec, { modelPath, modelRevision }: LaunchGrant): Served => {
  if (modelPath !== undefined) return { model: modelPath }
  const repository = readRepository(spec.modelRef ?? spec.modelId ?? '')
  if (!repository?.id)
    throw new BerthError('CONFIG_INVALID', 'vLLM needs a model, and this pool has none. Set model.')
  const revision = modelRevision ?? repository.revision
  return { model: repository.id, ...(revision === undefined ? {} : { revision }) }
}

const placeFlags = (
  spec: EngineSpec,
  { host, port, modelPath, modelCacheDir }: LaunchGrant,
  { model, revision }: Served,
): string[] => [
  ...['--host', host],
  ...['--port', String(port)],
  ...['--served-model-name', spec.modelId ?? model],
  ...(revision === undefined ? [] : ['--revision', revision]),
  ...(modelCacheDir === undefined || modelPath !== undefined
    ? []
    : ['--download-dir', modelCacheDir]),
]

const memoryFlags = (
  spec: EngineSpec,
  grant: LaunchGrant,
  version: string | undefined,
): string[] => {
  const share = memoryShare(spec, grant)
  const kvBytes = spec.options.kv_cache_memory_bytes
  return [
    ...(share === undefined ? [] : ['--gpu-memory-utilization', String(share)]),
    // Older ones know only the share.
    ...(kvBytes === undefined || isBefore(version, '0.11.0')
      ? []
      : ['--kv-cache-memory-bytes', String(kvBytes)]),
    ...['--max-model-len', String(spec.contextLength)],
    ...['--max-num-seqs', String(spec.slots)],
  ]
}

/** Options that are flags of the same name, with their value. */
const VALUED = [
  'tensor_parallel_size',
  'pipeline_parallel_size',
  'max_num_batched_tokens',
  'dtype',
  'quantization',
  'kv_cache_dtype',
  'load_format',
  'reasoning_parser',
  'seed',
] as const

const optionFlags = ({ options }: EngineSpec, version: string | undefined): string[] => {
  const isOn = (key: string) => options[key] === true
  return [
    ...VALUED.flatMap((key) =>
      options[key] === undefined ? [] : [flagOf(key), String(options[key])],
    ),
    ...['enforce_eager', 'trust_remote_code'].filter(isOn).map(flagOf),
    ...prefixCachingFlags(options.enable_prefix_caching, version),
    ...(isOn('enable_lora') ? ['--enable-lora'] : []),
    ...['max_loras', 'max_lora_rank'].flatMap((key) =>
      options[key] === undefined ? [] : [flagOf(key), String(options[key])],
    ),
    ...(isOn('enable_sleep_mode') && isAtLeast(version, '0.7.0') ? ['--enable-sleep-mode'] : []),
    ...(options.cpu_offload_gib === undefined
      ? []
      : ['--cpu-offload-gb', String(options.cpu_offload_gib)]),
    ...(options.tool_call_parser === undefined
      ? []
      : ['--enable-auto-tool-choice', '--tool-call-parser', String(options.tool_call_parser)]),
  ]
}

const flagOf = (key: string): string => `--${key.replaceAll('_', '-')}`

/** The V0 engine has it off unless asked, and no flag that says so. */
const prefixCachingFlags = (
  wanted: string | number | boolean | undefined,
  version: string | undefined,
): string[] => {
  if (wanted === true) return ['--enable-prefix-caching']
  return wanted === false && isAtLeast(version, '0.9.0') ? ['--no-enable-prefix-caching'] : []
}

/**
 * Neither prompts nor a line per probe: requests are logged unless told otherwise before 0.10.1,
 * and the flag for that is an error since 0.12 (vllm-project/vllm pull requests 21739 and 29402).
 */
const logFlags = (version: string | undefined): string[] => [
  ...(isBefore(version, '0.10.1') ? ['--disable-log-requests'] : []),
  ...(isBefore(version, '0.10.0')
    ? ['--uvicorn-log-level', 'warning']
    : ['--disable-uvicorn-access-log']),
]

/** Requests that run go on for as long as the agent waits; seen first in logs of 0.22. */
const stopFlags = ({ shutdownGraceMs }: EngineSpec, version: string | undefined): string[] => {
  if (version === undefined || isBefore(version, '0.22.0')) return []
  const seconds = Math.floor(shutdownGraceMs / 1_000) - SHUTDOWN_MARGIN_S
  return seconds > 0 ? ['--shutdown-timeout', String(seconds)] : []
}
