import type { EngineSpec } from './engine-speed.ts'
import type { Trace } from './trace.ts'

/** What a router is told of a request when it is over, as a gateway measures it. */
export interface Completion {
  readonly job: number
  readonly replica: number
  /** From when the engine got it. */
  readonly firstTokenMs: number
  /** From the first token to the last. */
  readonly decodeMs: number
}

/** What an engine's metrics endpoint says. */
export interface EngineMetrics {
  readonly waiting: number
  readonly running: number
  /** 0 to 1. */
  readonly kvUsage: number
}

/** What a router knows from the start and may ask. */
export interface RouterWorld {
  readonly trace: Trace
  readonly fleet: readonly EngineSpec[]
  /** Engine metrics as of the last scrape. */
  metricsOf(replica: number): EngineMetrics
  /** Hands a request to an engine. */
  dispatch(job: number, replica: number): void
}

/** A routing policy. It sees arrivals and completions, and what it did itself. */
export interface Router {
  arrive(job: number, now: number): void
  complete(completion: Completion, now: number): void
}

/** Makes a router for one replay. */
export type CreateRouter = (world: RouterWorld, seed: number) => Router
