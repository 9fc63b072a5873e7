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

export interface EngineExit {
  readonly code: number | null
  readonly signal: string | null
}

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
  onExit(exit: EngineExit): void
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

const LISTEN_AFTER_MS = 200
const LIE_AFTER_MS = 400
const TERM_MS = 50
const HANG_POLL_MS = 100

/** One life of a virtual engine process: it listens, loads, serves, and ends once. */
export class SimEngine {
  readonly options: EngineOptions
  readonly #bornAt: number
  readonly #running = new Set<Generation>()
  readonly #timers = new Set<Cancel>()
  readonly #watchers = new Set<() => void>()
  #isAlive = true
  #isLoaded = false
  #hungUntil = -1
  #isStalled = false
  #producedTokens = 0

  constructor(options: EngineOptions) {
    this.options = options
    this.#bornAt = options.clock.now()
    this.#load()
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get isListening(): boolean {
    return this.#isAlive && this.#ageMs >= LISTEN_AFTER_MS
  }

  /** Answers probes as a good engine does. */
  get looksReady(): boolean {
    const lies = this.options.fault === 'lies' && this.#ageMs >= LIE_AFTER_MS
    return this.#isAlive && (this.#isLoaded || lies)
  }

  get isHung(): boolean {
    return this.options.clock.now() < this.#hungUntil
  }

  /** Requests that run. */
  get active(): number {
    return this.#running.size
  }

  get producedTokens(): number {
    return this.#producedTokens
  }

  /** Starts a request; the answer ends it. Undefined where no connection is accepted. */
  generate(generation: Generation): Cancel | undefined {
    if (!this.#isAlive || !this.#isLoaded) return undefined
    this.#running.add(generation)
    let index = 0
    let stop: Cancel = () => undefined
    const next = () => {
      if (this.isHung || this.#isStalled) {
        stop = this.#later(HANG_POLL_MS, next)
        return
      }
      this.#producedTokens += 1
      generation.onPiece(index++)
      if (index < generation.pieces) {
        stop = this.#later(generation.pieceMs, next)
        return
      }
      this.#running.delete(generation)
      generation.onEnd()
    }
    stop = this.#later(generation.firstMs, next)
    return () => {
      stop()
      this.#running.delete(generation)
    }
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (signal === 'SIGKILL') return this.#exit({ code: null, signal })
    const obeys = this.options.fault !== 'hangs_in_load' && !this.isHung
    if (this.#isAlive && obeys) this.#later(TERM_MS, () => this.#exit({ code: 0, signal: null }))
  }

  crash(): void {
    this.#exit({ code: null, signal: 'SIGSEGV' })
  }

  /** Answers nothing and produces nothing until `ms` have passed. */
  hang(ms: number): void {
    this.#hungUntil = this.options.clock.now() + ms
  }

  /** Produces nothing any more, though every probe says that it is well. */
  stall(): void {
    this.#isStalled = true
  }

  recover(): void {
    this.#hungUntil = -1
    // Only its requests show that it hangs: with none, nobody could know.
    if (this.active === 0) this.#isStalled = false
  }

  /** Calls `fn` when the process ends, as a connection that breaks does. */
  onGone(fn: () => void): Cancel {
    this.#watchers.add(fn)
    return () => this.#watchers.delete(fn)
  }

  get #ageMs(): number {
    return this.options.clock.now() - this.#bornAt
  }

  #load(): void {
    const { fault, loadMs, modelId, print } = this.options
    print(`loading ${modelId}`)
    if (fault === 'hangs_in_load') return
    this.#later(loadMs / 2, () => print('half of the model is loaded'))
    this.#later(loadMs, () => {
      if (fault === 'out_of_memory') {
        print('torch.OutOfMemoryError: CUDA out of memory.')
        return this.#exit({ code: 1, signal: null })
      }
      this.#isLoaded = true
      print('ready')
    })
  }

  #exit(exit: EngineExit): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    for (const cancel of this.#timers) cancel()
    for (const generation of [...this.#running]) generation.onBroken()
    this.#running.clear()
    for (const tell of [...this.#watchers]) tell()
    this.options.onExit(exit)
  }

  #later(ms: number, fn: () => void): Cancel {
    const cancel = this.options.clock.after(ms, () => {
      this.#timers.delete(cancel)
      fn()
    })
    this.#timers.add(cancel)
    return () => {
      cancel()
      this.#timers.delete(cancel)
    }
  }
}
