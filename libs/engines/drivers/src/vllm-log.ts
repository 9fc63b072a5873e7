import type { LoadPhase, LogSign } from '@berth/supervision'

const GIB = 1_073_741_824
/** Nothing that is read stands further right. */
const LINE_MAX_CHARS = 2_048
/** Tokens of a block of the V0 engine, which tells blocks only. */
const BLOCK_TOKENS = 16

/**
 * What a line of vLLM's output tells, from 0.5 to 0.25 as recorded. A bar that is drawn over and
 * over is one line: its last drawing counts. Never throws.
 */
export const readVllmLog = (line: string): LogSign | undefined => {
  const text = plainLine(line)
  for (const { pattern, sign } of SIGNS) {
    const match = pattern.exec(text)
    if (match) return sign(match, text)
  }
  return undefined
}

/** The last drawing of a line, without colours. */
export const plainLine = (line: string): string => {
  const text = line.slice(-4 * LINE_MAX_CHARS).replace(COLOURS, '')
  const drawn = text.split('\r').findLast((part) => part.trim() !== '') ?? ''
  return drawn.slice(0, LINE_MAX_CHARS)
}

const COLOURS = /\u001b\[[\d;]*[A-Za-z]/g

type Read = (match: RegExpExecArray, text: string) => LogSign | undefined

const phase =
  (name: LoadPhase, percent?: number): Read =>
  () => ({ kind: 'phase', phase: name, ...(percent === undefined ? {} : { percent }) })

/** The first number that the pattern caught is a percentage. */
const percentOf =
  (name: LoadPhase): Read =>
  ([, percent = '']) => ({ kind: 'phase', phase: name, percent: Math.min(100, Number(percent)) })

const memory =
  (use: 'weights' | 'kv' | 'compute'): Read =>
  ([, gib = ''], text) => {
    const bytes = Math.round(Number(gib) * GIB)
    return bytes > 0 && Number.isSafeInteger(bytes)
      ? { kind: 'memory', device: deviceOf(text), use, bytes }
      : undefined
  }

/** Workers of one engine tell of their own GPU each; the first is the first of the mask. */
const deviceOf = (text: string): string => {
  const [, rank] = /^\(\w+(?:\s+rank=|_TP)(\d+)/.exec(text) ?? []
  if (rank !== undefined) return `CUDA${Number(rank)}`
  const [, pid] = /^\(VllmWorkerProcess pid=(\d+)\)/.exec(text) ?? []
  return pid === undefined ? '' : `pid ${pid}`
}

const missing: Read = (_match, text) => ({ kind: 'gpu_missing', fact: text.trim() })

/** In the order they are looked for; each line has at most one. */
const SIGNS: readonly { readonly pattern: RegExp; readonly sign: Read }[] = [
  {
    pattern: /checkpoint shards:\s{0,4}(\d{1,3})% Completed/,
    sign: percentOf('load'),
  },
  // Graphs are captured after all was compiled, the first of them alone or by size.
  { pattern: /Capturing CUDA graph[^:]{0,80}:\s{0,4}(\d{1,3})%\|/, sign: percentOf('warm') },
  { pattern: /Fetching \d+ files:\s{0,4}(\d{1,3})%\|/, sign: percentOf('download') },
  {
    pattern: /[\w.-]{1,120}\.(?:safetensors|bin|pt|gguf):\s{0,4}\d{1,3}%\|/,
    sign: phase('download'),
  },
  { pattern: /Time spent downloading weights/, sign: phase('load', 0) },
  { pattern: /Loading weights took [\d.]+ seconds/, sign: phase('load', 100) },
  { pattern: /Model loading took ([\d.]+) GiB/, sign: memory('weights') },
  // It counts in GiB and calls them GB.
  { pattern: /Loading model weights took ([\d.]+) GB/, sign: memory('weights') },
  { pattern: /Available KV cache memory: ([\d.]+) GiB/, sign: memory('kv') },
  { pattern: /kv_cache_size=([\d.]+)GiB/, sign: memory('kv') },
  { pattern: /memory reserved for KV Cache is ([\d.]+)GiB/, sign: memory('kv') },
  { pattern: /Graph capturing finished in .{0,40}took ([\d.]+) GiB/, sign: memory('compute') },
  {
    pattern: /GPU KV cache size: ([\d,]{1,16}) tokens/,
    sign: ([, tokens = '']) => ({ kind: 'kv_room', tokens: Number(tokens.replaceAll(',', '')) }),
  },
  {
    pattern: /# (?:GPU|cuda|rocm) blocks: (\d{1,12})/,
    sign: ([, blocks = '']) => ({ kind: 'kv_room', tokens: Number(blocks) * BLOCK_TOKENS }),
  },
  {
    pattern:
      /Dynamo bytecode transform|for vLLM's torch\.compile|Compiling a graph|torch\.compile t/,
    sign: phase('compile'),
  },
  {
    pattern: /Capturing (?:the model for CUDA graphs|cudagraphs)|Graph capturing finished/,
    sign: phase('warm'),
  },
  { pattern: /init engine \(.{0,80}\) took|warmup completed in/, sign: phase('warm') },
  { pattern: /Application startup complete/, sign: phase('warm', 100) },
  // One that finds no platform at all ends by itself, and says why.
  { pattern: /Automatically detected platform cpu/, sign: missing },
]
