import type { MemoryPlan, ModelFacts } from '@berth/memory'

/** The engines Berth knows. One driver file each. */
export type EngineName = 'vllm' | 'llamacpp' | 'ollama' | 'openai' | 'embedded' | 'sim'

/**
 * Who owns the engine process. `managed`: Berth starts, restarts and stops it. `monitored`: Berth
 * watches and never starts it. `external`: assumed up, probed for readiness only.
 */
export type PoolMode = 'managed' | 'monitored' | 'external'

/** Options of one engine, as `engine_options` in the pools file gives them. */
export type EngineOptions = Readonly<Record<string, string | number | boolean>>

/** One pool as its owner wants it: the part of the pools file a driver reads. */
export interface EngineSpec {
  readonly engine: EngineName
  readonly mode: PoolMode
  /** What clients send as `model`; absent in a pool that starts empty. */
  readonly modelId?: string
  /** The model as the pools file names it (`hf:org/name@revision`). Absent as `modelId` is. */
  readonly modelRef?: string
  /** Requests the engine may run at once. */
  readonly slots: number
  /** Context of one slot, in tokens. */
  readonly contextLength: number
  readonly options: EngineOptions
  /** Where a server that we never start answers (`openai`, or mode other than managed). */
  readonly url?: string
  /** The program to run instead of the driver's own (`lifecycle.binary_path`). */
  readonly binaryPath?: string
  readonly shutdownGraceMs: number
  /** The same request, seed and model give the same bytes. Absent is false. */
  readonly isStrict?: boolean
}

/** A GPU of the mask as it was found before the launch. What it does not tell is absent. */
export interface GrantedGpu {
  readonly deviceId: string
  readonly uuid: string
  readonly kind: 'nvidia' | 'nvidia_mig' | 'amd'
  /** Such as 8.9; empty when not known. */
  readonly computeCapability: string
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
}

/** What the agent grants one instance: everything about this machine a plan may use. */
export interface LaunchGrant {
  /** Loopback address and free port the engine has to listen on. */
  readonly host: string
  readonly port: number
  /** Device ids of the mask; `['cpu']` for the CPU. */
  readonly devices: readonly string[]
  /** The GPUs of the mask, in its order; none on the CPU. The agent exports the mask itself. */
  readonly gpus?: readonly GrantedGpu[]
  /** What the pool may take of each GPU. Absent: it has no budget. */
  readonly vramBudgetBytes?: number
  /** Absolute path of the model's file, or of the folder of its snapshot, when it is on this host. */
  readonly modelPath?: string
  /** The commit of a model that comes from a repository. */
  readonly modelRevision?: string
  /** What the model's files say of it; absent when they are not here or cannot be read. */
  readonly modelFacts?: ModelFacts
  /** Nothing may be fetched: everything the engine needs is on this host. */
  readonly isOffline?: boolean
  /** Folder that engines which fetch for themselves keep models in. */
  readonly modelCacheDir?: string
  /** Where the engine's program was found; absent where nobody looked. */
  readonly program?: string
  /** `--version` of the engine's program as it was asked before; absent where nobody asked. */
  readonly programVersion?: string
  /** Folder of the pool that outlives its instances: a place for an engine's caches. */
  readonly homeDir?: string
  /** The Node that runs the agent, for engines that are our own bundles. */
  readonly nodePath: string
  /** Folder that holds `sim-engine.js` and `embedded-engine.js`. */
  readonly enginesDir: string
  /** Folder whose `node_modules` holds the embedded engine's native package. */
  readonly embeddedRuntimeDir: string
  /** Key minted for this instance. Travels by environment, never by argv. */
  readonly apiKey: string
}

/** One question to an engine. */
export interface ProbeSpec {
  /**
   * `http`, also when absent: a GET with `EngineAccess.headers`. `grpc`: the standard health check
   * (`grpc.health.v1`), where SERVING reads as 200 and every other status as 503.
   */
  readonly protocol?: 'http' | 'grpc'
  /** Of HTTP the path; of gRPC the name of the service, empty for the server as a whole. */
  readonly path: string
  /** When it is not the port of `EngineAccess.baseUrl`. */
  readonly port?: number
  readonly timeoutMs: number
}

/** What came back. */
export type ProbeResponse =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly tookMs: number
    }
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'timeout' }

/**
 * `loading` is an engine that says so itself: it counts neither as up nor as a failure.
 * `healthy` is a good answer within 1 s, `degraded` one within 5 s, `unhealthy` another answer or
 * none, `unknown` no answer in time (seed 001).
 */
export type ProbeResult =
  | {
      readonly verdict: 'healthy' | 'degraded'
      readonly modelIds?: readonly string[]
      readonly slots?: number
    }
  | { readonly verdict: 'loading' | 'unhealthy' | 'unknown'; readonly fact: string }

/** How to reach and watch a running engine. */
export interface EngineAccess {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly baseUrl: string
  /** Headers every request to the engine carries (its API key). */
  readonly headers: Readonly<Record<string, string>>
  /** All of these must be healthy for the instance to be ready. */
  readonly readyProbes: readonly ProbeSpec[]
  /** Prometheus text, when the engine has it. */
  readonly metricsPath?: string
  /**
   * Its token counters move while a request runs, not only at its end: then their standing still
   * under load means that the engine hangs. Absent is false.
   */
  readonly hasLiveCounters?: boolean
  /** `fresh`: a new connection per generation, for servers that close sockets unannounced. */
  readonly connections: 'fresh' | 'keep_alive'
  /**
   * Only of a stream does it notice that nobody waits for it (llama-server): every generation is
   * asked for as one, and made whole for a client that did not. Absent is false.
   */
  readonly mustStream?: boolean
  /**
   * What becomes of a generation whose client left. `drain`: it runs to its end, its slot in use.
   * Absent: as `EngineAbilities.isAbortedByDisconnect` says.
   */
  readonly onDisconnect?: 'abort' | 'drain'
  /** A path that answers with a JSON object that holds its version. */
  readonly versionPath?: string
}

/** How to bring one instance to life: data that one generic supervisor executes. */
export type LaunchPlan =
  | {
      readonly kind: 'process'
      readonly argv: readonly string[]
      /** Added to the agent's allow-listed environment. */
      readonly env: Readonly<Record<string, string>>
      readonly access: EngineAccess
      /** Between SIGTERM and SIGKILL of the whole group. */
      readonly stopGraceMs: number
    }
  | { readonly kind: 'attach'; readonly access: EngineAccess }

/** Where a start stands. `warm`: graphs are captured, the engine warms up. */
export type LoadPhase = 'download' | 'load' | 'compile' | 'warm'

/** What one line of an engine's output tells of its start. */
export type LogSign =
  | {
      readonly kind: 'phase'
      readonly phase: LoadPhase
      /** Of this phase, 0 to 100. */
      readonly percent?: number
      readonly bytesDone?: number
      readonly bytesTotal?: number
    }
  /** Memory it has taken. */
  | {
      readonly kind: 'memory'
      /** As the engine names it: `CUDA0`, `ROCm1`, `CPU`; empty for the only one it has. */
      readonly device: string
      readonly use: 'weights' | 'kv' | 'compute' | 'output' | 'recurrent' | 'total'
      readonly bytes: number
    }
  /** Room of its KV cache over all requests. */
  | { readonly kind: 'kv_room'; readonly tokens: number }
  /** It goes on without the GPU it was granted. */
  | { readonly kind: 'gpu_missing'; readonly fact: string }

/** One request to an engine that changes something. */
export interface EngineCall {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly body: string
  /** Longest silence of its answer. */
  readonly timeoutMs: number
}

/** A model as a running engine lists it. */
export interface ListedModel {
  readonly modelId: string
  readonly memoryBytes?: number
  readonly gpuBytes?: number
  /** Unix milliseconds; absent: it stays. */
  readonly expiresAtMs?: number
  readonly digest?: string
  readonly quantization?: string
  /** The model it is an adapter of. */
  readonly parentModelId?: string
  readonly contextLength?: number
}

/** What one line of an answer that comes in pieces tells. */
export type CallSign =
  | {
      readonly kind: 'progress'
      readonly step: string
      readonly bytesDone?: number
      readonly bytesTotal?: number
      /** Names the part the bytes are of, where an answer counts several: their sums are the whole. */
      readonly part?: string
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly report: CrashReport }

/** How models come to and go from an engine that runs. All pure. */
export interface ModelCalls {
  /** Brings the files to the engine's own store. Absent: files are the agent's matter. */
  pull?(modelId: string): EngineCall
  /** Into memory. `source`: the path of an adapter. `ttlMs` absent: pinned. */
  load(modelId: string, how: { readonly ttlMs?: number; readonly source?: string }): EngineCall
  unload(modelId: string): EngineCall
  readonly residentPath: string
  readResident(body: string): readonly ListedModel[] | undefined
  /** What the engine has on disk. */
  readonly onDiskPath?: string
  readOnDisk?(body: string): readonly ListedModel[] | undefined
  /**
   * What the engine makes of a name, for comparing: ids of one name are one model. Absent: each is
   * a model of its own.
   */
  nameOf?(modelId: string): string
  /** Models it holds at once: for one more it lets go of another. Absent: as memory allows. */
  readonly maxResident?: number
  /** Reads one line of the answer of a call; `undefined` for a line that says nothing. */
  readLine(line: string, status: number): CallSign | undefined
}

/** How an engine gives its memory back without ending. All pure. */
export interface SleepCalls {
  readonly sleep: EngineCall
  readonly wake: EngineCall
  /** Answers what `readAsleep` reads. */
  readonly statePath: string
  /** `undefined` for an answer that does not tell. */
  readAsleep(body: string): boolean | undefined
}

/** Counters that show whether an engine works. Absent where the engine does not say. */
export interface EngineMetrics {
  readonly running?: number
  readonly waiting?: number
  readonly promptTokensTotal?: number
  readonly generatedTokensTotal?: number
  /** Tokens evaluated so far for the requests that run now. */
  readonly tokensInProgress?: number
  /** 0 to 1. */
  readonly kvUsageRatio?: number
}

/** How a process ended. Both are null when nobody could see it: it was no child of this agent. */
export interface EngineExit {
  readonly code: number | null
  readonly signal: string | null
}

/** Why an instance ended, for people and for the restart policy. */
export interface CrashReport {
  readonly kind:
    | 'stopped'
    | 'exit'
    | 'signal'
    | 'out_of_vram'
    | 'out_of_memory'
    | 'device_error'
    | 'port_in_use'
    | 'model_not_found'
    | 'model_invalid'
    | 'access_denied'
    | 'gated'
    | 'bad_option'
    | 'missing_runtime'
    | 'disk_full'
    | 'fetch_failed'
    | 'hang'
    | 'unhealthy'
    | 'start_timeout'
  /** Cause, fact and next step, in one or two sentences. */
  readonly message: string
  /** False when starting it again cannot help (a bad flag, a missing file). */
  readonly isRetriable: boolean
}

/** What an engine can do. The pool's `supports` is made from it. */
export interface EngineAbilities {
  /** HTTP paths the ingress relays, such as `/v1/chat/completions`. */
  readonly routes: readonly string[]
  readonly hasModelLifecycle: boolean
  readonly hasResourceMonitoring: boolean
  readonly isAbortedByDisconnect: boolean
  /** The field of a generation body that names its seed. Absent: the engine takes none. */
  readonly seedField?: string
  readonly quantizations: readonly string[]
  /** CUDA compute capability, such as 7.5; 0 for any device. */
  readonly minComputeCapability: number
  /** Many models in one engine. Absent is false. */
  readonly isMultiModel?: boolean
  /** Adapters can be loaded and unloaded while it runs. Absent is false. */
  readonly hasLora?: boolean
  /** Can put its weights aside and take them back. Absent is false. */
  readonly hasSleep?: boolean
}

/** A translator for one engine: pure functions over data. It never spawns, waits, logs or reads. */
export interface EngineDriver {
  readonly engine: EngineName
  readonly abilities: EngineAbilities
  /** What of `abilities.routes` an engine of this pool has; absent: all. */
  routes?(spec: EngineSpec): readonly string[]
  /** Problems of `spec` for this engine, each naming its key; none when it can be planned. */
  check(spec: EngineSpec): readonly string[]
  plan(spec: EngineSpec, grant: LaunchGrant): LaunchPlan
  readProbe(probe: ProbeSpec, response: ProbeResponse, spec: EngineSpec): ProbeResult
  readMetrics(text: string): EngineMetrics
  /** What a line of the log tells of the start; absent, or undefined, when nothing. Never throws. */
  readLog?(line: string): LogSign | undefined
  /** How it will use memory; absent: not known. */
  memoryPlan?(
    spec: EngineSpec,
    grant: Pick<LaunchGrant, 'devices' | 'gpus' | 'vramBudgetBytes'>,
  ): MemoryPlan
  /** Absent: its one model comes and goes with its process. */
  modelCalls?(spec: EngineSpec): ModelCalls | undefined
  /**
   * What its program may be called, the best first: what is on PATH is `LaunchGrant.program`.
   * Absent: the plan names its program, and nobody looks for it.
   */
  readonly programs?: readonly string[]
  /** Asked of its program before the first plan: argv after the program, such as `['--version']`. */
  readonly versionArgv?: readonly string[]
  /** Where it depends on the program, such as a Python: instead of `versionArgv`. */
  versionArgvOf?(program: string): readonly string[]
  /** Problems of a pool with these kinds of devices, in the order of its mask, each with its key. */
  checkDevices?(spec: EngineSpec, kinds: readonly string[]): readonly string[]
  /** How it puts its weights aside and takes them back; absent, or undefined, when it cannot. */
  sleepCalls?(spec: EngineSpec): SleepCalls | undefined
  /** `logTail`: the last lines of stdout and stderr, oldest first. */
  classify(logTail: readonly string[], exit: EngineExit): CrashReport
}
