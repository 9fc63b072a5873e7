import type { LogSign } from '@berth/supervision'

/**
 * What a line of llama-server's log tells of its start. Buffer sizes are in it from verbosity 4 on.
 * A cache with windows, a model over several devices and an adapter each print lines of their own:
 * `weights`, `kv` and `recurrent` of one device add up, while `compute` and `output` are printed
 * anew when they change. Never throws.
 */
export const readLlamacppLog = (line: string): LogSign | undefined => {
  if (line.length > LINE_MAX_CHARS) return undefined
  return readBuffer(line) ?? readRoom(line) ?? readPhase(line) ?? readFallback(line)
}

/** Its own lines are short; what is longer is a prompt or a template. */
const LINE_MAX_CHARS = 1_024
const MIB = 1_048_576

const USE = {
  model: 'weights',
  LoRA: 'weights',
  KV: 'kv',
  compute: 'compute',
  output: 'output',
  RS: 'recurrent',
} as const

/** `load_tensors:        CUDA0 model buffer size =  8045.05 MiB` */
const BUFFER =
  /(?:^|\s)(\w{1,64}) +(model|LoRA|KV|compute|output|RS) buffer size *= *(\d{1,9}(?:\.\d{1,6})?) MiB/

const readBuffer = (line: string): LogSign | undefined => {
  const [, device, use, mib] = BUFFER.exec(line) ?? []
  if (device === undefined || use === undefined) return undefined
  const bytes = Math.round(Number(mib) * MIB)
  return { kind: 'memory', device, use: USE[use as keyof typeof USE], bytes }
}

/** `llama_context: n_ctx         = 65536`: over all slots. */
const ROOM = /llama_context: n_ctx +?= (\d{1,9})$/

const readRoom = (line: string): LogSign | undefined => {
  const tokens = ROOM.exec(line.trimEnd())?.[1]
  return tokens === undefined ? undefined : { kind: 'kv_room', tokens: Number(tokens) }
}

/** In the order in which they come (engines.md 1). */
const PHASES: readonly (readonly [RegExp, LogSign])[] = [
  [/load_model: loading model '/, { kind: 'phase', phase: 'load' }],
  [/load_tensors: loading model tensors/, { kind: 'phase', phase: 'load' }],
  [/warming up the model/, { kind: 'phase', phase: 'warm' }],
  [/load_model: initializing(?: slots)?, n_slots/, { kind: 'phase', phase: 'warm' }],
  [/(?:main|llama_server): model loaded/, { kind: 'phase', phase: 'warm', percent: 100 }],
]

const readPhase = (line: string): LogSign | undefined =>
  PHASES.find(([pattern]) => pattern.test(line))?.[1]

/**
 * It starts all the same, on the CPU: a pool that was granted a GPU is not served so. A driver that
 * names no layer count less than one means every `offloaded 0` as a failure too.
 */
const FALLBACK =
  /no usable GPU found|compiled without support for GPU offload|ggml_cuda_init: (?:failed to initialize|no) |offloaded 0\/\d+ layers to GPU/

const readFallback = (line: string): LogSign | undefined =>
  FALLBACK.test(line) ? { kind: 'gpu_missing', fact: line.trim().slice(0, 300) } : undefined
