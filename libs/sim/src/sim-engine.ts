import type { Cancel, Clock } from '@berth/kernel'

/** What goes wrong with one life of an engine. */
export type EngineFault =
  | 'none'
  /** Never becomes ready; prints nothing more, ignores SIGTERM. */
  | 'hangs_in_load'
  /** Prints the driver's out-of-memory text while it loads, and exits. */
  | 'out_of_memory'
  /** Passes its probes long before it can answer a request. */
  | 'lies'

export interface EngineOptions {
  readonly pid: number
  readonly poolId: string
  readonly modelId: string
  readonly port: number
  readonly slots: number
  readonly memoryBytes: number
  readonly loadMs: number
  readonly fault: EngineFault
  /** Of the machine: an engine outlives its agent. */
  readonly clock: Clock
  print(line: string): void
  onExit(exit: { readonly code: number | null; readonly signal: string | null }): void
}

/** A request to an engine: so many pieces, one each `pieceMs`. */
export interface Generation {
  readonly pieces: number
  readonly pieceMs: number
  readonly firstMs: number
  onPiece(index: number): void
  onEnd(): void
  /** The process is gone. */
  onBroken(): void
}

/** One life of a virtual engine process. */
export interface SimEngine {
  readonly options: EngineOptions
  readonly isAlive: boolean
  /** Answers probes as a good engine does. */
  readonly looksReady: boolean
  /** Has its model: only then are connections of requests accepted. */
  readonly isLoaded: boolean
  readonly isListening: boolean
  readonly isHung: boolean
  readonly active: number
  /** Starts a request; the answer ends it. Undefined where no connection is accepted. */
  generate(generation: Generation): Cancel | undefined
  signal(signal: 'SIGTERM' | 'SIGKILL'): void
  crash(): void
  /** Calls `fn` when the process ends, as a connection that breaks does. */
  onGone(fn: () => void): Cancel
  /** Answers nothing, produces nothing, until `ms` have passed. */
  hang(ms: number): void
}

const LISTEN_AFTER_MS = 200
const LIE_AFTER_MS = 400
const TERM_MS = 50
const HANG_POLL_MS = 100

/** Starts an engine: it listens, loads, serves, and ends once. */
export const startSimEngine = (options: EngineOptions): SimEngine => {
  const { clock, loadMs, fault } = options
  const bornAt = clock.now()
  const running = new Set<Generation>()
  const timers = new Set<Cancel>()
  const watchers = new Set<() => void>()
  let isAlive = true
  let isLoaded = false
  let hungUntil = -1

  const age = () => clock.now() - bornAt
  const isHung = () => clock.now() < hungUntil
  const later = (ms: number, fn: () => void) => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      fn()
    })
    timers.add(cancel)
    return cancel
  }
  const exit = (code: number | null, signal: string | null) => {
    if (!isAlive) return
    isAlive = false
    for (const cancel of timers) cancel()
    for (const generation of [...running]) generation.onBroken()
    running.clear()
    for (const tell of [...watchers]) tell()
    options.onExit({ code, signal })
  }
  const load = () => {
    options.print(`loading ${options.modelId}`)
    if (fault === 'hangs_in_load') return
    later(loadMs / 2, () => options.print('half of the model is loaded'))
    later(loadMs, () => {
      if (fault === 'out_of_memory') {
        options.print('torch.OutOfMemoryError: CUDA out of memory.')
        return exit(1, null)
      }
      isLoaded = true
      options.print('ready')
    })
  }
  const run = (generation: Generation): Cancel => {
    let stop: Cancel = () => undefined
    let index = 0
    const next = () => {
      if (isHung()) {
        stop = later(HANG_POLL_MS, next)
        return
      }
      generation.onPiece(index++)
      if (index < generation.pieces) {
        stop = later(generation.pieceMs, next)
        return
      }
      running.delete(generation)
      generation.onEnd()
    }
    stop = later(generation.firstMs, next)
    return () => {
      stop()
      running.delete(generation)
    }
  }
  load()
  return {
    options,
    get isAlive() {
      return isAlive
    },
    get isLoaded() {
      return isAlive && isLoaded
    },
    get looksReady() {
      return isAlive && (isLoaded || (fault === 'lies' && age() >= LIE_AFTER_MS))
    },
    get isListening() {
      return isAlive && age() >= LISTEN_AFTER_MS
    },
    get isHung() {
      return isHung()
    },
    get active() {
      return running.size
    },
    generate: (generation) => {
      if (!isAlive || !isLoaded) return undefined
      running.add(generation)
      return run(generation)
    },
    signal: (signal) => {
      if (!isAlive) return
      if (signal === 'SIGKILL') return exit(null, 'SIGKILL')
      if (fault !== 'hangs_in_load' && !isHung()) later(TERM_MS, () => exit(0, null))
    },
    onGone: (fn) => {
      watchers.add(fn)
      return () => watchers.delete(fn)
    },
    crash: () => exit(null, 'SIGSEGV'),
    hang: (ms) => {
      hungUntil = clock.now() + ms
    },
  }
}
