import { randomInt, seededRng } from '@berth/kernel'
import type { CreateRouter, RouterWorld } from '../router.ts'
import { countOutstanding } from './blind.ts'

/** Weights of llm-d's scorers. */
export interface LlmdSettings {
  /** `queue-scorer`: (max - waiting) / (max - min), from scraped metrics. */
  readonly queue: number
  /** `kv-cache-utilization-scorer`: 1 - usage, from scraped metrics. */
  readonly kv: number
  /** `active-request-scorer`: (max - active) / max, by the router's own count. */
  readonly active: number
  /** `prefix-cache-scorer`: matched blocks of the prompt's blocks. */
  readonly prefix: number
}

/**
 * Load and prefix scoring as llm-d's router does it (llm-d/llm-d-router at ebab6879, under
 * pkg/epp/framework/plugins): each scorer gives every endpoint 0 to 1, the weighted sum is taken,
 * and `max-score-picker` takes the highest, by lot among equals. The prefix index is the
 * approximate one: an LRU of block hashes for each endpoint, filled at the moment of routing, with
 * as many blocks as the engine's KV cache has (`autoTune`).
 */
export const llmd =
  (settings: LlmdSettings): CreateRouter =>
  (world, seed) => {
    const rng = seededRng(seed)
    const outstanding = countOutstanding(world)
    const index = createPrefixIndex(world)
    return {
      arrive: (job) => {
        const scores = scoreAll(world, settings, {
          active: (replica) => outstanding.of(replica),
          match: (replica) => index.match(job, replica),
        })
        const most = Math.max(...scores)
        const best = scores.flatMap((score, replica) => (score >= most - 1e-12 ? [replica] : []))
        const chosen = best[randomInt(rng, best.length)]!
        index.record(job, chosen)
        outstanding.send(job, chosen)
      },
      complete: ({ replica }) => outstanding.end(replica),
    }
  }

interface Readings {
  active(replica: number): number
  match(replica: number): number
}

const scoreAll = (world: RouterWorld, weights: LlmdSettings, readings: Readings): number[] => {
  const metrics = world.fleet.map((_, replica) => world.metricsOf(replica))
  const waiting = metrics.map((metric) => metric.waiting)
  const longest = Math.max(...waiting)
  const shortest = Math.min(...waiting)
  const active = world.fleet.map((_, replica) => readings.active(replica))
  const mostActive = Math.max(...active)
  return metrics.map(({ kvUsage }, replica) => {
    const queue = longest === shortest ? 1 : (longest - waiting[replica]!) / (longest - shortest)
    const idle = mostActive === 0 ? 1 : (mostActive - active[replica]!) / mostActive
    return (
      weights.queue * queue +
      weights.kv * (1 - kvUsage) +
      weights.active * idle +
      weights.prefix * readings.match(replica)
    )
  })
}

/** Which blocks each endpoint was sent lately. */
const createPrefixIndex = ({ trace, fleet }: RouterWorld) => {
  const { blocks, blockStart, blockTokens } = trace
  const lru = fleet.map(() => new Set<number>())
  return {
    match: (job: number, replica: number): number => {
      const first = blockStart[job]!
      const end = blockStart[job + 1]!
      if (first === end) return 0
      const known = lru[replica]!
      let at = first
      while (at < end && known.has(blocks[at]!)) at += 1
      return (at - first) / (end - first)
    },
    record: (job: number, replica: number): void => {
      if (blockTokens === 0) return
      const known = lru[replica]!
      const capacity = Math.floor(fleet[replica]!.kvTokens / blockTokens)
      for (let at = blockStart[job]!; at < blockStart[job + 1]!; at++) {
        // Deleted and added: a Set keeps the order of insertion, so the first is the oldest.
        known.delete(blocks[at]!)
        known.add(blocks[at]!)
      }
      for (const oldest of known) {
        if (known.size <= capacity) break
        known.delete(oldest)
      }
    },
  }
}
