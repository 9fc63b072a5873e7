import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/kernel'
import type { ModelHeader } from './model-header.ts'

/** Reads what the files of models say. */
export interface HeaderReader {
  /**
   * The header of a model: a file, or a folder. Read again only when the files changed. Rejects
   * with `MODEL_NOT_FOUND` when there is nothing, `MODEL_LOAD_FAILED` when it cannot be used, and
   * the signal's reason. A file, whatever it holds, costs no more than the options say.
   */
  read(path: string, options?: { readonly signal?: AbortSignal }): Promise<ModelHeader>
}

/** What a reader runs, and how much of the machine one header may cost. */
export interface HeaderReaderOptions {
  /** The Node to run it with: the one that runs the agent. */
  readonly nodePath: string
  /** The bundle of the program. Absent: beside the bundle that calls, or the sources. */
  readonly programPath?: string
  readonly timeoutMs?: number
  /** Of the heap of the process that reads; it has some 100 MiB besides. */
  readonly heapMebibytes?: number
}

/** How many headers are kept: a host has a few dozen models. */
const MAX_KEPT = 64
const DEFAULT_TIMEOUT_MS = 15_000
const DEFAULT_HEAP_MEBIBYTES = 384
const MAX_ANSWER_BYTES = 8 * 1024 ** 2

/** A reader that parses each header in a process of its own, one after the other. */
export const createHeaderReader = (options: HeaderReaderOptions): HeaderReader => {
  const kept = new Map<string, { readonly stamp: string; readonly header: ModelHeader }>()
  let last: Promise<unknown> = Promise.resolve()
  const keptOf = (path: string, stamp: string): ModelHeader | undefined => {
    const known = kept.get(path)
    return known?.stamp === stamp ? known.header : undefined
  }
  // Whoever waited for the same file finds it read; a fault, or an end by a signal, is not kept.
  const readAndKeep = async (path: string, stamp: string, signal?: AbortSignal) => {
    const known = keptOf(path, stamp)
    if (known) return known
    const header = await readInProcess(path, options, signal)
    kept.delete(path)
    kept.set(path, { stamp, header })
    for (const oldest of kept.keys()) if (kept.size > MAX_KEPT) kept.delete(oldest)
    return header
  }
  return {
    read: async (path, { signal } = {}) => {
      const stamp = await stampOf(path)
      const known = keptOf(path, stamp)
      if (known) return known
      signal?.throwIfAborted()
      const mine = last.then(() => readAndKeep(path, stamp, signal))
      last = mine.catch(() => undefined)
      return mine
    },
  }
}

/** Differs when a file of the model that is read was written or replaced. */
const stampOf = async (path: string): Promise<string> => {
  const own = await stampOfFile(path)
  if (own === undefined) {
    throw new BerthError('MODEL_NOT_FOUND', `There is no model at ${path}. Pull it first.`, {
      facts: { path },
    })
  }
  if (!own.isFolder) return own.text
  const files = [
    'config.json',
    'hf_quant_config.json',
    'model.safetensors.index.json',
    'model.safetensors',
  ]
  const stamps = await Promise.all(files.map((name) => stampOfFile(join(path, name))))
  return [own.text, ...stamps.map((each) => each?.text ?? '')].join(' ')
}

const stampOfFile = async (path: string) => {
  try {
    const found = await stat(path, { bigint: true })
    const { dev, ino, size, mtimeNs } = found
    return { text: `${dev}:${ino}:${size}:${mtimeNs}`, isFolder: found.isDirectory() }
  } catch {
    // Not there, or not for this user: a file that cannot be looked at has no stamp.
    return undefined
  }
}

const readInProcess = async (
  path: string,
  options: HeaderReaderOptions,
  signal: AbortSignal | undefined,
): Promise<ModelHeader> => {
  signal?.throwIfAborted()
  const { timeoutMs = DEFAULT_TIMEOUT_MS, heapMebibytes = DEFAULT_HEAP_MEBIBYTES } = options
  const argv = [
    `--max-old-space-size=${heapMebibytes}`,
    '--max-semi-space-size=16',
    // It may read, and nothing else: no writing, no starting of programs.
    ...['--permission', '--allow-fs-read=*', '--no-warnings'],
    options.programPath ?? ownProgram(),
  ]
  const ended = await new Promise<Ended>((resolve) => {
    const limits = {
      ...({ timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: MAX_ANSWER_BYTES } as const),
      ...(signal && { signal }),
    }
    const child = execFile(options.nodePath, argv, { ...limits, env: {} }, (error, stdout) => {
      resolve({ error, stdout })
    })
    // It may have ended before it read anything: its end tells why.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(JSON.stringify({ path }))
  })
  signal?.throwIfAborted()
  return answerOf(path, ended, { timeoutMs, heapMebibytes })
}

interface Ended {
  readonly error: (Error & { readonly killed?: boolean }) | null
  readonly stdout: string
}

const answerOf = (
  path: string,
  { error, stdout }: Ended,
  { timeoutMs, heapMebibytes }: { readonly timeoutMs: number; readonly heapMebibytes: number },
): ModelHeader => {
  if (error) {
    const fact = error.killed
      ? `reading it took more than ${timeoutMs / 1000} s`
      : `reading it took more than ${heapMebibytes} MiB, or failed (${error.message.slice(0, 200)})`
    throw unusable(path, fact, error)
  }
  const answer = JSON.parse(stdout) as
    | { readonly header: ModelHeader }
    | { readonly fault: { readonly path: string; readonly fact: string } }
  if ('header' in answer) return answer.header
  throw unusable(answer.fault.path, answer.fault.fact)
}

const unusable = (path: string, fact: string, cause?: unknown): BerthError =>
  new BerthError(
    'MODEL_LOAD_FAILED',
    `The header of ${path} cannot be used: ${fact}. Pull the model again, or take another file.`,
    { facts: { path, fact }, ...(cause === undefined ? {} : { cause }) },
  )

/** Sources run as they are; a bundle has the program beside it. */
const ownProgram = (): string =>
  import.meta.filename.endsWith('.ts')
    ? join(import.meta.dirname, 'program.ts')
    : join(import.meta.dirname, 'model-header-reader.js')
