import { randomInt, seededRng } from '@berth/kernel'
import type { CreateRouter, RouterWorld } from '../router.ts'

/** How replicas of different speed are told apart: not at all, or by their prompt speed. */
export type Weighting = 'equal' | 'speed'

/** In turn; by weight as nginx does it (smooth weighted round robin). */
export const roundRobin =
  (weighting: Weighting): CreateRouter =>
  (world) => {
    const weights = weigh(world, weighting)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const credit = weights.map(() => 0)
    return {
      arrive: (job) => {
        let best = 0
        for (const [index, weight] of weights.entries()) {
          credit[index]! += weight
          if (credit[index]! > credit[best]! + 1e-9) best = index
        }
        credit[best]! -= total
        world.dispatch(job, best)
      },
      complete: () => undefined,
    }
  }

/** By lot; by weight where told so. */
export const random =
  (weighting: Weighting): CreateRouter =>
  (world, seed) => {
    const rng = seededRng(seed)
    const draw = drawer(weigh(world, weighting))
    return {
      arrive: (job) => world.dispatch(job, draw(rng.float())),
      complete: () => undefined,
    }
  }

/** The replica with the fewest requests under way for its weight; the first of several by lot. */
export const leastOutstanding =
  (weighting: Weighting): CreateRouter =>
  (world, seed) => {
    const rng = seededRng(seed)
    const weights = weigh(world, weighting)
    const outstanding = countOutstanding(world)
    return {
      arrive: (job) => {
        let best = randomInt(rng, weights.length)
        for (let index = 0; index < weights.length; index++) {
          const isLess =
            outstanding.of(index) / weights[index]! < outstanding.of(best) / weights[best]!
          if (isLess) best = index
        }
        outstanding.send(job, best)
      },
      complete: ({ replica }) => outstanding.end(replica),
    }
  }

/** The less busy of two drawn by lot (Mitzenmacher, 2001). */
export const powerOfTwo =
  (weighting: Weighting): CreateRouter =>
  (world, seed) => {
    const rng = seededRng(seed)
    const weights = weigh(world, weighting)
    const draw = drawer(weights)
    const outstanding = countOutstanding(world)
    return {
      arrive: (job) => {
        const one = draw(rng.float())
        const other = draw(rng.float())
        const isOne = outstanding.of(one) / weights[one]! <= outstanding.of(other) / weights[other]!
        outstanding.send(job, isOne ? one : other)
      },
      complete: ({ replica }) => outstanding.end(replica),
    }
  }

/** Requests a router has under way, by replica. */
export const countOutstanding = (world: RouterWorld) => {
  const counts = new Int32Array(world.fleet.length)
  return {
    of: (replica: number) => counts[replica]!,
    total: () => counts.reduce((sum, count) => sum + count, 0),
    send: (job: number, replica: number) => {
      counts[replica]! += 1
      world.dispatch(job, replica)
    },
    end: (replica: number) => {
      counts[replica]! -= 1
    },
  }
}

/** Weights of the replicas, 1 on average. */
export const weigh = ({ fleet }: RouterWorld, weighting: Weighting): number[] => {
  const speeds = fleet.map(({ cost }) => (weighting === 'equal' ? 1 : 1 / cost.promptTokenMs))
  const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length
  return speeds.map((speed) => speed / mean)
}

const drawer = (weights: readonly number[]) => {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return (chance: number): number => {
    let left = chance * total
    const index = weights.findIndex((weight) => (left -= weight) < 0)
    return index < 0 ? weights.length - 1 : index
  }
}
