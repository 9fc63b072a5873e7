import type { CreateRouter, RouterWorld } from '../router.ts'
import { countOutstanding, weigh, type Weighting } from './blind.ts'

/** What a request is hashed by: its conversation, or the end of its first blocks. */
export type HashKey = 'session' | number

/** The settings of consistent hashing with bounded loads. */
export interface BoundedHashSettings {
  readonly key: HashKey
  /** A replica takes at most this many times its share of the requests under way. */
  readonly loadFactor: number
  readonly weighting: Weighting
}

/** Points of each replica on the ring; KubeAI's default. */
const POINTS = 256

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018): the first replica
 * clockwise from the key that is below its bound. KubeAI routes by prompt prefix this way.
 */
export const boundedHash =
  ({ key, loadFactor, weighting }: BoundedHashSettings): CreateRouter =>
  (world) => {
    const ring = createRing(world.fleet.length)
    const weights = weigh(world, weighting)
    const outstanding = countOutstanding(world)
    return {
      arrive: (job) => {
        const share = (outstanding.total() + 1) / weights.length
        let at = firstAt(ring, hashOf(world, job, key))
        for (let looked = 0; looked < ring.length; looked++) {
          const { replica } = ring[at]!
          if (outstanding.of(replica) + 1 <= Math.ceil(share * loadFactor * weights[replica]!))
            break
          at = (at + 1) % ring.length
        }
        outstanding.send(job, ring[at]!.replica)
      },
      complete: ({ replica }) => outstanding.end(replica),
    }
  }

interface Point {
  readonly position: number
  readonly replica: number
}

const createRing = (replicas: number): Point[] => {
  const points: Point[] = []
  for (let replica = 0; replica < replicas; replica++) {
    for (let n = 0; n < POINTS; n++)
      points.push({ position: mix(replica * POINTS + n + 1), replica })
  }
  return points.sort((a, b) => a.position - b.position || a.replica - b.replica)
}

const firstAt = (ring: readonly Point[], position: number): number => {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ring[middle]!.position < position) low = middle + 1
    else high = middle
  }
  return low % ring.length
}

const hashOf = ({ trace }: RouterWorld, job: number, key: HashKey): number => {
  if (key === 'session') return mix(trace.session[job]! + 1)
  const first = trace.blockStart[job]!
  const last = Math.min(trace.blockStart[job + 1]!, first + key) - 1
  // Without blocks a prompt shares nothing: each is a key of its own.
  return last < first ? mix(job + 1) : mix(trace.blocks[last]! + 1)
}

/** Spreads whole numbers over 32 bits (the finaliser of MurmurHash3). */
const mix = (value: number): number => {
  let z = value | 0
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}
