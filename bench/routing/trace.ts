import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** Requests in the order they arrive; column by column, because there are many. */
export interface Trace {
  readonly name: string
  readonly count: number
  readonly arrivalMs: Float64Array
  readonly promptTokens: Int32Array
  readonly outputTokens: Int32Array
  /** Tokens of a prefix block; 0 when the trace does not tell what prompts share. */
  readonly blockTokens: number
  /** Of all requests, one after another. A block stands for everything up to its end. */
  readonly blocks: Int32Array
  /** Where a request's blocks begin in `blocks`; one longer than `count`. */
  readonly blockStart: Int32Array
  /** Requests of one conversation share a number. */
  readonly session: Int32Array
}

/** Prompts are cut here, as an engine's `--max-model-len` would refuse them. */
const MAX_PROMPT_TOKENS = 131_072
/** Of one `hash_ids` entry in Mooncake's traces. */
const MOONCAKE_BLOCK_TOKENS = 512

interface Row {
  readonly arrivalMs: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly blocks: readonly number[]
}

/**
 * Reads a trace: JSON lines as Mooncake publishes them (`timestamp` ms, `input_length`,
 * `output_length`, `hash_ids`), or CSV as Azure does (`TIMESTAMP,ContextTokens,GeneratedTokens`).
 */
export const readTrace = (path: string): Trace => {
  const text = readFileSync(path, 'utf8')
  const isJson = text.trimStart().startsWith('{')
  const rows = isJson ? parseMooncake(text) : parseAzure(text)
  const name = basename(path).replace(/\.(jsonl|csv)$/, '')
  return toTrace(name, rows, isJson ? MOONCAKE_BLOCK_TOKENS : 0)
}

/** A trace of rows in any order. Requests without tokens to read or write are left out. */
export const toTrace = (name: string, rows: readonly Row[], blockTokens: number): Trace => {
  const kept = rows
    .filter(({ promptTokens, outputTokens }) => promptTokens > 0 && outputTokens > 0)
    .sort((a, b) => a.arrivalMs - b.arrivalMs)
  const first = kept[0]?.arrivalMs ?? 0
  const blockStart = new Int32Array(kept.length + 1)
  for (const [n, { blocks }] of kept.entries()) blockStart[n + 1] = blockStart[n]! + blocks.length
  const blocks = Int32Array.from(kept.flatMap((row) => row.blocks))
  return {
    name,
    count: kept.length,
    arrivalMs: Float64Array.from(kept, ({ arrivalMs }) => arrivalMs - first),
    promptTokens: Int32Array.from(kept, (row) => Math.min(row.promptTokens, MAX_PROMPT_TOKENS)),
    outputTokens: Int32Array.from(kept, (row) => row.outputTokens),
    blockTokens,
    blocks,
    blockStart,
    session: findSessions(blocks, blockStart),
  }
}

/** The first `count` requests. */
export const headOf = (trace: Trace, count: number): Trace =>
  count >= trace.count
    ? trace
    : {
        ...trace,
        count,
        arrivalMs: trace.arrivalMs.subarray(0, count),
        promptTokens: trace.promptTokens.subarray(0, count),
        outputTokens: trace.outputTokens.subarray(0, count),
        blockStart: trace.blockStart.subarray(0, count + 1),
        session: trace.session.subarray(0, count),
      }

/** The same requests so much faster that they come at `ratePerS` on average. */
export const atRate = (trace: Trace, ratePerS: number): Trace => {
  const spanMs = trace.arrivalMs[trace.count - 1]!
  const scale = ((trace.count - 1) / ratePerS) * (1_000 / spanMs)
  return { ...trace, arrivalMs: trace.arrivalMs.map((ms) => ms * scale) }
}

const parseMooncake = (text: string): Row[] =>
  lines(text).map((line) => {
    const row = JSON.parse(line) as Record<string, unknown>
    return {
      arrivalMs: Number(row.timestamp),
      promptTokens: Number(row.input_length),
      outputTokens: Number(row.output_length),
      blocks: row.hash_ids as number[],
    }
  })

const parseAzure = (text: string): Row[] => {
  const [head = '', ...rest] = lines(text)
  const columns = head.split(',').map((name) => name.trim().toLowerCase())
  const at = columns.indexOf('timestamp')
  const context = columns.indexOf('contexttokens')
  const generated = columns.indexOf('generatedtokens')
  return rest.map((line) => {
    const cells = line.split(',')
    return {
      arrivalMs: toMs(cells[at]!),
      promptTokens: Number(cells[context]),
      outputTokens: Number(cells[generated]),
      blocks: [],
    }
  })
}

/** `2023-11-16 18:15:46.6805900`, or seconds. */
const toMs = (text: string): number => {
  const seconds = Number(text)
  if (!Number.isNaN(seconds)) return seconds * 1_000
  const [whole = '', fraction = '0'] = text
    .trim()
    .replace(' ', 'T')
    .replace(/(Z|\+.*)$/, '')
    .split('.')
  return Date.parse(`${whole}Z`) + Number(`0.${fraction}`) * 1_000
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '')

/**
 * Traces carry no session. A request continues the conversation of the last one that had the same
 * block at the deepest place where anything was shared, below the first block, which a service's
 * system prompt fills.
 */
const findSessions = (blocks: Int32Array, blockStart: Int32Array): Int32Array => {
  const session = new Int32Array(blockStart.length - 1)
  const lastWith = new Map<number, number>()
  let sessions = 0
  for (let job = 0; job < session.length; job++) {
    let known: number | undefined
    const first = blockStart[job]!
    for (let at = blockStart[job + 1]! - 1; at > first && known === undefined; at--) {
      known = lastWith.get(blocks[at]!)
    }
    session[job] = known ?? sessions++
    for (let at = first + 1; at < blockStart[job + 1]!; at++)
      lastWith.set(blocks[at]!, session[job]!)
  }
  return session
}
