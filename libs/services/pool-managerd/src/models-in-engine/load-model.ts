import { sleep, type Clock } from '@berth/kernel'
import type {
  CallSign,
  CrashReport,
  EngineAccess,
  EngineCall,
  ModelCalls,
} from '@berth/supervision'
import { callEngine, type CallEnd } from './call-engine.ts'
import { createPullCount, type PulledBytes } from './count-pull.ts'
import type { WantedModel } from './kept-model.ts'

/** What a load needs of its engine. */
export interface LoadSurroundings {
  readonly access: Pick<EngineAccess, 'baseUrl' | 'headers'>
  readonly calls: ModelCalls
  readonly clock: Clock
  readonly signal: AbortSignal
  /** A load without a sign of progress for so long is over. */
  readonly stallMs: number
  /** When the engine printed something last; of one that we do not run nobody knows. */
  readonly printedAt: () => number | undefined
  /** The last thing it printed. */
  readonly lastLine: () => string | undefined
  /** Whether the engine lists the model as resident, asked now; `undefined` when it does not say. */
  readonly isResident: () => Promise<boolean | undefined>
  readonly isOnDisk: () => Promise<boolean>
  /** Absent: it may be pulled. Otherwise why not. */
  readonly pullRefusal?: CrashReport | undefined
  onPhase(phase: 'download' | 'load'): void
  onBytes(bytes: PulledBytes): void
}

/** Brings a model into the memory of an engine. `undefined`: it is there, by the engine's list. */
export const loadModel = async (
  wanted: WantedModel,
  on: LoadSurroundings,
): Promise<CrashReport | undefined> => {
  const { calls } = on
  if (calls.pull && !(await on.isOnDisk())) {
    if (on.pullRefusal) return on.pullRefusal
    on.onPhase('download')
    const failed = await pullModel(wanted, on)
    if (failed) return failed
  }
  on.onPhase('load')
  const { ttlMs, source } = wanted
  const how = {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(source === undefined ? {} : { source }),
  }
  const startedAt = on.clock.now()
  const end = await ask(calls.load(wanted.modelId, how), on, {
    silenceLeftMs: (silentMs) => stallLeftMs(silentMs, startedAt, on),
  })
  const failed = end.kind === 'done' ? await unproven(wanted, on) : reportOf(end, wanted, on)
  return on.signal.aborted ? CANCELLED : failed
}

/** Tries that brought nothing; one that brought bytes begins the count anew. */
const TRIES_IN_VAIN = 3
const TRIES_MAX = 50
const FIRST_PAUSE_MS = 1_000

/** The engine keeps what it has of a download that broke, and goes on from there. */
const pullModel = async (
  { modelId }: WantedModel,
  on: LoadSurroundings,
): Promise<CrashReport | undefined> => {
  const count = createPullCount()
  const call = on.calls.pull!(modelId)
  let inVain = 0
  for (let tries = 1; ; tries += 1) {
    const before = count.sum()?.bytesDone ?? 0
    const end = await ask(call, on, {
      onProgress: (sign) => {
        count.add(sign)
        const sum = count.sum()
        if (sum) on.onBytes(sum)
      },
    })
    if (on.signal.aborted) return CANCELLED
    if (end.kind === 'done') return undefined
    const isFinal = end.kind === 'failed' && !end.report.isRetriable
    inVain = (count.sum()?.bytesDone ?? 0) > before ? 0 : inVain + 1
    if (isFinal || inVain >= TRIES_IN_VAIN || tries >= TRIES_MAX)
      return pullFailed(modelId, end, { tries, bytes: count.sum() })
    await sleep(on.clock, FIRST_PAUSE_MS * 2 ** inVain, on.signal).catch(() => undefined)
  }
}

const pullFailed = (
  modelId: string,
  end: Exclude<CallEnd, { readonly kind: 'done' }>,
  { tries, bytes }: { readonly tries: number; readonly bytes: PulledBytes | undefined },
): CrashReport => {
  const so = bytes ? `${bytes.bytesDone} of ${bytes.bytesTotal} bytes are here` : 'nothing is here'
  const { kind, isRetriable } =
    end.kind === 'failed' ? end.report : ({ kind: 'exit', isRetriable: true } as const)
  const many = tries === 1 ? '1 try' : `${tries} tries`
  const message = `Model ${modelId} could not be downloaded in ${many}, ${so}. ${factOf(end)}`
  return { kind, isRetriable, message }
}

const factOf = (end: Exclude<CallEnd, { readonly kind: 'done' }>): string => {
  switch (end.kind) {
    case 'failed':
      return end.report.message
    case 'cut':
      return `The engine broke off: ${end.error}.`
    case 'silent':
      return `The engine said nothing for ${Math.round(end.ms / 1_000)} s.`
    case 'cancelled':
      return CANCELLED.message
  }
}

const ask = (
  call: EngineCall,
  { access, calls, clock, signal }: LoadSurroundings,
  more: {
    readonly onProgress?: (sign: Extract<CallSign, { readonly kind: 'progress' }>) => void
    readonly silenceLeftMs?: (silentMs: number) => number
  },
): Promise<CallEnd> => {
  const readLine = (line: string, status: number) => calls.readLine(line, status)
  return callEngine(access, call, { clock, signal, readLine, ...more })
}

/** As with engines: one that only prints is given up after so many times the limit. */
const LOAD_EXTENSIONS = 10

/** An engine that loads says nothing in its answer, but it may print what it does. */
const stallLeftMs = (
  silentMs: number,
  startedAt: number,
  { clock, stallMs, printedAt }: LoadSurroundings,
): number => {
  const now = clock.now()
  const heardAt = Math.max(now - silentMs, printedAt() ?? 0, startedAt)
  return Math.min(heardAt + stallMs, startedAt + LOAD_EXTENSIONS * stallMs) - now
}

const reportOf = (
  end: Exclude<CallEnd, { readonly kind: 'done' }>,
  { modelId }: WantedModel,
  on: LoadSurroundings,
): CrashReport => {
  if (end.kind === 'failed') return end.report
  if (end.kind === 'cancelled') return CANCELLED
  const said = on.lastLine()
  const last = said === undefined ? 'It has printed nothing.' : `Its last line: ${quoted(said)}.`
  const fact =
    end.kind === 'cut'
      ? `the engine broke off: ${end.error}`
      : `it is not in memory after ${seconds(end.ms)} s, of which ${seconds(on.stallMs)} s ` +
        'without a sign of progress'
  return {
    kind: end.kind === 'cut' ? 'exit' : 'start_timeout',
    message: `Model ${modelId}: ${fact}. ${last}`,
    isRetriable: true,
  }
}

const PROOF_MS = 10_000
const PROOF_POLL_MS = 100

/** That an engine says it has loaded proves nothing: its list does. */
const unproven = async (
  { modelId }: WantedModel,
  { clock, signal, isResident, calls }: LoadSurroundings,
): Promise<CrashReport | undefined> => {
  const deadline = clock.now() + PROOF_MS
  while (!signal.aborted) {
    if ((await isResident()) === true) return undefined
    if (clock.now() >= deadline) break
    await sleep(clock, PROOF_POLL_MS, signal).catch(() => undefined)
  }
  return {
    kind: 'unhealthy',
    message:
      `The engine says that model ${modelId} is loaded, and ${calls.residentPath} does not list ` +
      `it after ${PROOF_MS / 1_000} s.`,
    isRetriable: true,
  }
}

/** A load that nobody waits for any more, or whose engine is gone. */
export const CANCELLED: CrashReport = {
  kind: 'stopped',
  message: 'It was given up before its end.',
  isRetriable: true,
}

const FACT_CHARS = 300
const quoted = (line: string) => `"${line.trim().slice(0, FACT_CHARS)}"`
const seconds = (ms: number) => Math.round(ms / 100) / 10
