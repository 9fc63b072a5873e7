import { Engine, createProgress, type Progress } from './engine.ts'
import type { EngineSpec } from './engine-speed.ts'
import type { CreateRouter, EngineMetrics, RouterWorld } from './router.ts'
import type { Trace } from './trace.ts'

/** What a replay leaves behind, by request. */
export interface Replayed extends Progress {
  /** When the router gave the request to an engine. */
  readonly dispatchedMs: Float64Array
  readonly replica: Int32Array
}

/** How a replay is run. */
export interface ReplaySettings {
  readonly fleet: readonly EngineSpec[]
  readonly seed: number
  /** Between two scrapes of the engines' metrics. */
  readonly scrapeMs: number
}

/**
 * Plays a trace against a fleet of engines through a router: a discrete-event simulation whose
 * events are arrivals and ends of engine iterations. The same arguments give the same result.
 */
export const replay = (
  trace: Trace,
  createRouter: CreateRouter,
  { fleet, seed, scrapeMs }: ReplaySettings,
): Replayed => {
  const progress = createProgress(trace)
  const engines = fleet.map((spec) => new Engine(spec, trace, progress))
  const dispatchedMs = new Float64Array(trace.count)
  const replica = new Int32Array(trace.count).fill(-1)
  let now = 0
  const metricsOf = scraped(engines, scrapeMs, () => now)
  const world: RouterWorld = {
    trace,
    fleet,
    metricsOf: (index) => metricsOf(index),
    dispatch: (job, index) => {
      dispatchedMs[job] = now
      replica[job] = index
      engines[index]!.add(job, now)
    },
  }
  const router = createRouter(world, seed)
  for (let arrived = 0; ;) {
    const index = nextToEnd(engines)
    const endMs = engines[index]!.endMs
    const arrivalMs = arrived < trace.count ? trace.arrivalMs[arrived]! : Infinity
    if (arrivalMs === Infinity && endMs === Infinity) break
    now = Math.min(arrivalMs, endMs)
    metricsOf.observe()
    if (arrivalMs <= endMs) {
      router.arrive(arrived, now)
      arrived += 1
      continue
    }
    for (const job of engines[index]!.advance()) {
      const firstTokenMs = progress.firstTokenMs[job]! - dispatchedMs[job]!
      const decodeMs = now - progress.firstTokenMs[job]!
      router.complete({ job, replica: index, firstTokenMs, decodeMs }, now)
    }
  }
  return { ...progress, dispatchedMs, replica }
}

/** The engine whose iterations end first; the lowest of several. */
const nextToEnd = (engines: readonly Engine[]): number => {
  let first = 0
  for (let index = 1; index < engines.length; index++) {
    if (engines[index]!.endMs < engines[first]!.endMs) first = index
  }
  return first
}

/** Metrics that stand still between scrapes. */
const scraped = (engines: readonly Engine[], everyMs: number, now: () => number) => {
  const last: EngineMetrics[] = engines.map(() => ({ waiting: 0, running: 0, kvUsage: 0 }))
  let nextMs = 0
  const metricsOf = (index: number) => last[index]!
  /** Called before an event changes anything: what is true then was true at the scrape before it. */
  metricsOf.observe = () => {
    if (now() < nextMs) return
    for (const [index, { waiting, running, kvUsage }] of engines.entries()) {
      last[index] = { waiting, running, kvUsage }
    }
    nextMs = (Math.floor(now() / everyMs) + 1) * everyMs
  }
  return metricsOf
}
