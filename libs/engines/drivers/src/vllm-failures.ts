import type { CrashReport, EngineExit } from '@berth/supervision'
import { classifyBy, type Sign } from './classify-log.ts'
import { plainLine, readVllmLog } from './vllm-log.ts'

/**
 * Why vLLM ended. Its root cause stands in the last block of errors, before consequences that say
 * "see root cause above"; what stands before a later milestone was recovered from.
 */
export const classifyVllm = (logTail: readonly string[], exit: EngineExit): CrashReport => {
  const lines = logTail.map(plainLine)
  if (exit.code !== 0 && wasAskedToStop(lines))
    return { kind: 'stopped', message: ASKED_TO_STOP, isRetriable: true }
  const last = lines.findLastIndex((line) => readVllmLog(line) !== undefined)
  const report = classifyBy(SIGNS, errorsOf(lines.slice(last + 1)), exit)
  // Workers of other GPUs may have gone on for a while.
  return isVague(report) ? classifyBy(SIGNS, errorsOf(lines), exit) : report
}

const ASKED_TO_STOP =
  'It was asked to stop with SIGTERM from outside of Berth, and did. See who did: journalctl.'

/** The stop came first, and what it printed after that is noise (EngineDeadError of 0.25). */
const wasAskedToStop = (lines: readonly string[]): boolean => {
  const asked = lines.findLastIndex((line) => /received signal=SIGTERM|: terminated$/.test(line))
  if (asked < 0) return false
  return !lines.slice(0, asked).some((line) => /(?:^|\s)ERROR \d\d-\d\d /.test(line))
}

const isVague = ({ kind }: CrashReport): boolean => kind === 'exit' || kind === 'signal'

/**
 * What it went on from is told at other levels, each line of a trace with its own. Its dumps hold
 * the whole configuration, and what clients wrote.
 */
const errorsOf = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !NO_ERROR.test(line))

const NO_ERROR =
  /(?:^|\s)(?:INFO|WARNING|DEBUG)(?::\s| \d\d-\d\d )|\[dump_input\.py|non-default args:|with config: model=/

const HUB = 'https://huggingface.co'

const SIGNS: readonly Sign[] = [
  {
    kind: 'device_error',
    pattern:
      /Failed to infer device type|NVML Shared Library Not Found|No CUDA GPUs are available|Found no NVIDIA driver|NVIDIA driver on your system|libcuda\.so\.1: cannot open|no CUDA-capable device|No HIP GPUs are available/,
    cause: 'It finds no GPU',
    advice:
      'Run nvidia-smi (NVIDIA) or rocm-smi (AMD): it lists the GPU when its driver works. ' +
      'Or serve with an engine that runs on the CPU: llamacpp or embedded.',
    isRetriable: true,
  },
  {
    kind: 'missing_runtime',
    pattern: /Could not find nvcc|nvcc(?:: command)? not found|CUDA_HOME .{0,40}is not set/,
    cause: 'It wants to compile for this GPU and finds no nvcc',
    advice:
      'Install the CUDA toolkit on this host, or set CUDA_HOME of the agent to where it is. ' +
      'Berth never installs packages.',
    isRetriable: false,
  },
  {
    kind: 'missing_runtime',
    pattern: /No module named '?vllm/,
    cause: 'This Python has no vLLM',
    advice: 'Install vLLM on this host; Berth never installs packages.',
    isRetriable: false,
  },
  {
    kind: 'bad_option',
    pattern:
      /`trust_remote_code=True`|custom code which must be executed|execute the .{0,40}file in that repo/,
    cause: 'The model brings code of its own, and nobody allowed it to run',
    advice: 'Read that code, then set engine_options.trust_remote_code: true.',
    isRetriable: false,
  },
  {
    kind: 'bad_option',
    pattern: /User-specified max_model_len .{0,20} is greater than the derived max_model_len/,
    cause: 'The model was not made for a context of this length',
    advice: (fact) => {
      const [, most] = /derived max_model_len \(\D{0,40}=?(\d+)/.exec(fact) ?? []
      return most === undefined
        ? 'Lower context_length of the pool.'
        : `Set context_length of the pool to ${most} or less.`
    },
    isRetriable: false,
  },
  {
    kind: 'bad_option',
    pattern:
      /error: (?:unrecognized arguments|argument -)|Total number of attention heads .* must be divisible/,
    cause: 'It does not take an option of the pool',
    advice:
      'Correct engine_options in the pools file; vllm serve --help lists what this one takes.',
    isRetriable: false,
  },
  {
    kind: 'model_invalid',
    pattern: /Model architectures? .* (?:is|are) not supported/,
    cause: 'This vLLM does not know the architecture of the model',
    advice: 'Upgrade vLLM on this host, or serve a model that it lists as supported.',
    isRetriable: false,
  },
  {
    kind: 'gated',
    pattern:
      /access (?:a )?gated repo|GatedRepoError|not in the authorized list|Access to model .* is restricted/,
    cause: 'The model is gated, and its owner has not let this account in',
    advice: (fact, lines) => {
      const id = idIn(fact, lines)
      const page = id === undefined ? `its page at ${HUB}` : `${HUB}/${id}`
      return `Accept its terms at ${page}, then give the agent HF_TOKEN of that account.`
    },
    isRetriable: false,
  },
  {
    // To who is not logged in, the Hub does not tell a private model from none.
    kind: 'access_denied',
    pattern: /RepositoryNotFoundError: 401|401 Client Error.*Repository Not Found/,
    cause: 'The Hub shows this host no such model: it is private, or there is none',
    advice: (fact, lines) => {
      const id = idIn(fact, lines)
      const page = id === undefined ? '' : ` Look at ${HUB}/${id}.`
      return `Set HF_TOKEN in the agent's environment to a token that may read it.${page}`
    },
    isRetriable: false,
  },
  {
    kind: 'model_not_found',
    pattern:
      /Repository Not Found|RepositoryNotFoundError|404 Client Error|is not a valid model identifier|Can't load the configuration of|RevisionNotFoundError|EntryNotFoundError: 404/,
    cause: 'There is no such model',
    advice: (fact, lines) => {
      const id = idIn(fact, lines)
      return (
        (id === undefined ? `Look for it at ${HUB}/models` : `Look at ${HUB}/${id}`) +
        ', and correct model in the pools file. A private one is not found without HF_TOKEN.'
      )
    },
    isRetriable: false,
  },
  {
    kind: 'access_denied',
    pattern: /40[13] Client Error|Invalid user token|Invalid credentials|401 Unauthorized/,
    cause: 'The Hub refuses this host',
    advice: "Set HF_TOKEN in the agent's environment to a token that may read the model.",
    isRetriable: false,
  },
  {
    kind: 'model_not_found',
    pattern:
      /LocalEntryNotFoundError|outgoing traffic has been disabled|couldn't find them in the cached files|Cannot find the requested files in the disk cache/,
    cause: 'The model is not whole on this host, and nothing may be fetched',
    advice: 'Bring it here first: berth models pull on a host that may fetch, or copy the files.',
    isRetriable: false,
  },
  {
    kind: 'out_of_vram',
    pattern: /Free memory on device .* is less than desired/,
    cause: 'Others hold memory of its GPU',
    advice: (fact) => {
      const [, free, total] = /\(([\d.]+)\/([\d.]+) GiB\)/.exec(fact) ?? []
      const most = Math.floor((Number(free) / Number(total)) * 100) / 100
      return (
        (most > 0 ? `Set engine_options.gpu_memory_utilization below ${most}` : 'Lower it') +
        ', or end what holds the memory: nvidia-smi shows the processes.'
      )
    },
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern: /KV cache is needed, which is larger than the available KV cache memory/,
    cause: 'What is left of its GPU holds no request of full length',
    advice: (fact) => {
      const [, most] = /estimated maximum model length is (\d+)/.exec(fact) ?? []
      return (
        (most === undefined ? 'Lower context_length' : `Set context_length to ${most} or less`) +
        ', or raise gpu_memory_utilization.'
      )
    },
    isRetriable: false,
  },
  {
    kind: 'out_of_vram',
    pattern: /No available memory for the cache blocks/,
    cause: 'The weights leave no memory for a KV cache',
    advice:
      'Raise gpu_memory_utilization, spread the model over more GPUs (tensor_parallel_size), ' +
      'or serve a smaller one.',
    isRetriable: false,
  },
  {
    kind: 'out_of_vram',
    pattern: /Error in memory profiling/,
    cause: 'Another process gave GPU memory back while it was measured',
    advice: 'It is tried again; starts of Berth on one GPU wait for each other.',
    isRetriable: true,
  },
  {
    kind: 'out_of_vram',
    pattern:
      /(?:CUDA|HIP)(?: Error:)? out of memory|OutOfMemoryError|Call to wake_up method failed/i,
    cause: 'Its GPU has too little free memory for it',
    advice:
      'Lower context_length, slots or the size of the model, spread it over more GPUs, or end ' +
      'what else holds the memory: nvidia-smi shows the processes.',
    isRetriable: true,
  },
  {
    kind: 'device_error',
    pattern:
      /NVML_SUCCESS == r|AcceleratorError|CUDA error|HIP error|NCCL error|device-side assert triggered/,
    cause: 'Its GPU failed',
    advice: 'Look at nvidia-smi or rocm-smi, and at the kernel log (journalctl -k).',
    isRetriable: true,
  },
  {
    kind: 'out_of_memory',
    pattern: /: line \d+:\s+\d+ Killed\b/,
    cause: 'It was killed; mostly the kernel does that for want of main memory',
    advice: 'See journalctl -k; free main memory, or lower slots or the size of the model.',
    isRetriable: true,
  },
]

/** The repository that the line, or else the last that names one, speaks of. */
const idIn = (fact: string, lines: readonly string[]): string | undefined => {
  for (const line of [fact, ...lines.toReversed()]) {
    const id = REPOSITORY.map((pattern) => pattern.exec(line)?.[1]).find((found) => found)
    if (id !== undefined) return id
  }
  return undefined
}

/** Ids as the Hub's client writes them: never longer than two names. */
const REPOSITORY = [
  /huggingface\.co\/(?:api\/models\/)?([\w.-]{1,96}\/[\w.-]{0,95}\w)/,
  /'?([\w.-]{1,96}\/[\w.-]{1,96})'? is not a local folder/,
  /configuration of '([\w.-]{1,96}\/[\w.-]{1,96})'/,
  /Access to model ([\w.-]{1,96}\/[\w.-]{1,96}) is restricted/,
]
