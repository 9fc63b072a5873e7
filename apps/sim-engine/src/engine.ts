import { DEFAULT_KNOBS, type Knobs } from '@berth/sim-text'
import type { Job } from './job.ts'
import type { RequestLog } from './request-log.ts'
import { createSlots, type Slots } from './slots.ts'

/** Who a process is to the kernel. Capabilities as 64 bits in hexadecimal, from proc_pid_status(5). */
export interface Identity {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly capEff: string
  readonly capBnd: string
  readonly noNewPrivs: boolean
  readonly cwd: string
  readonly home: string
  /** Of version 2; empty where there is none. */
  readonly cgroup: string
}

/** What this process needs of the operating system, so that `main.ts` alone touches it. */
export interface Host {
  readonly pid: number
  /** The devices this process may see, by the variables that say so. */
  readonly deviceMask: Readonly<Record<string, string>>
  /** Its version, where it plays a certain one. */
  readonly version?: string
  /** What it was told at its start, for `/__sim/state`. */
  readonly told?: Readonly<Record<string, unknown>>
  /** What the system says this process may do, read anew each time. */
  identity(): Identity
  out(line: string): void
  err(line: string): void
  exit(code: number): never
  onTerminate(handler: () => void): void
}

export type Phase = 'loading' | 'ready' | 'stopping'

/** The one simulated engine of this process. */
export interface Engine {
  readonly host: Host
  readonly startedAtMs: number
  knobs: Readonly<Knobs>
  phase: Phase
  /** The port that is listened on; 0 before. */
  port: number
  orphanPid: number | undefined
  /** Tokens stop while the connections stay: llama.cpp after SIGTERM. */
  isFrozen: boolean
  readonly log: RequestLog
  readonly counters: Counters
  readonly jobs: Set<Job>
  /** One set per model: ollama runs each model apart, the others have one. */
  slotsOf(model: string): Slots
  /** Resolves at the next `changed()`, or when the signal aborts. */
  untilChange(signal: AbortSignal): Promise<void>
  changed(): void
}

export interface Counters {
  requests: number
  done: number
  aborted: number
  dropped: number
  rejected: number
  promptTokens: number
  sentTokens: number
  stopped: number
  lengthened: number
}

export const createEngine = (host: Host, knobs: Readonly<Knobs>, log: RequestLog): Engine => {
  const slots = new Map<string, Slots>()
  const waiters = new Set<() => void>()
  const engine: Engine = {
    host,
    startedAtMs: Date.now(),
    knobs: { ...DEFAULT_KNOBS, ...knobs },
    phase: 'loading',
    port: 0,
    orphanPid: undefined,
    isFrozen: false,
    log,
    counters: {
      requests: 0,
      done: 0,
      aborted: 0,
      dropped: 0,
      rejected: 0,
      promptTokens: 0,
      sentTokens: 0,
      stopped: 0,
      lengthened: 0,
    },
    jobs: new Set(),
    slotsOf: (model) => {
      const known = slots.get(model) ?? createSlots(() => engine.knobs.slots)
      slots.set(model, known)
      return known
    },
    untilChange: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          waiters.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        if (signal.aborted) return resolve()
        waiters.add(done)
        signal.addEventListener('abort', done, { once: true })
      }),
    changed: () => {
      for (const wake of [...waiters]) wake()
      for (const set of slots.values()) set.refill()
    },
  }
  return engine
}

/** How many requests run and wait, over all models. */
export const loadOf = (engine: Engine): { running: number; waiting: number } => {
  const running = [...engine.jobs].filter((job) => job.record.outcome === 'running').length
  return { running, waiting: engine.jobs.size - running }
}
