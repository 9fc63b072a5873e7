import type { Counters } from './counters.ts'
import type { Engine } from './load-engine.ts'
import type { Slots } from './slots.ts'

/** A loaded engine with what serving it needs. */
export interface ReadyEngine {
  readonly engine: Engine
  readonly slots: Slots
  readonly counters: Counters
  /** Milliseconds on a clock that never jumps. */
  readonly now: () => number
  /** Unsigned, 32 bits. */
  readonly randomSeed: () => number
  readonly nextTaskId: () => number
  /** A new id and the Unix time in seconds, for an answer. */
  readonly identify: () => { readonly id: string; readonly created: number }
}
