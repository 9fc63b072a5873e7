import { setTimeout as pause } from 'node:timers/promises'

/** One generation request in an engine's own log. */
export interface EngineRecord {
  readonly seq: number
  readonly correlation_id: string | null
  readonly tokens_planned: number
  readonly tokens_sent: number
  readonly outcome: 'queued' | 'running' | 'done' | 'aborted' | 'dropped'
}

/** The request logs of all engines, also of those that have died since. */
export interface EngineLogs {
  readonly records: readonly EngineRecord[]
  /** An engine ended, so what it did after the last look is not known. */
  readonly hasGaps: boolean
}

export interface EngineLogReader {
  /** Looks once more, at everything, and ends. */
  finish(): Promise<EngineLogs>
}

const POLL_MS = 300
const LOOK_TIMEOUT_MS = 2_000
/** Newest records of a look on the way, and of the last one. */
const SHOWN = 200
const SHOWN_AT_END = 10_000
/** An engine frees the slot of a client that left within this. Source: architecture, 2.7. */
const SETTLE_MS = 1_500

/** True while an engine works on it. */
export const isBusy = ({ outcome }: EngineRecord): boolean =>
  outcome === 'queued' || outcome === 'running'

interface State {
  readonly pid: number
  readonly requests: readonly EngineRecord[]
}

/** Follows the logs of simulated engines, by the URLs of their admin routes. */
export const followEngineLogs = (
  engines: readonly string[],
  isOurs: (correlationId: string | null) => boolean,
): EngineLogReader => {
  const records = new Map<string, EngineRecord>()
  const pids = new Map<string, number>()
  const stopping = new AbortController()
  let hasGaps = false

  const look = async (engine: string, last: number) => {
    const state = await readState(engine, last)
    const known = pids.get(engine)
    if (known !== undefined && known !== state?.pid) endLife(`${engine} ${known} `)
    // Down, or starting: the next look tells.
    if (state === undefined) return
    pids.set(engine, state.pid)
    for (const record of state.requests)
      if (isOurs(record.correlation_id)) records.set(`${engine} ${state.pid} ${record.seq}`, record)
  }
  /** What a process was at when it died has ended with it. */
  const endLife = (prefix: string) => {
    hasGaps = true
    for (const [key, record] of records)
      if (key.startsWith(prefix) && isBusy(record))
        records.set(key, { ...record, outcome: 'dropped' })
  }
  const lookAtAll = (last: number) => Promise.all(engines.map((engine) => look(engine, last)))
  const loop = async () => {
    while (!stopping.signal.aborted) {
      await lookAtAll(SHOWN)
      await pause(POLL_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const running = loop()
  const someBusy = () => [...records.values()].some(isBusy)

  return {
    finish: async () => {
      stopping.abort()
      await running
      const endsAt = performance.now() + SETTLE_MS
      do {
        if (someBusy()) await pause(50)
        await lookAtAll(SHOWN_AT_END)
      } while (someBusy() && performance.now() < endsAt)
      return { records: [...records.values()], hasGaps }
    },
  }
}

const readState = async (engine: string, last: number): Promise<State | undefined> => {
  try {
    const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS)
    const answer = await fetch(`${engine}/__sim/state?last=${last}`, { signal })
    return (await answer.json()) as State
  } catch {
    // A dead engine is what some runs are about.
    return undefined
  }
}
