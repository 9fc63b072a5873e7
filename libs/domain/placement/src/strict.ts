import type { FleetView } from '@berth/fleet'
import { randomInt, type PoolId, type Rng } from '@berth/kernel'
import { ask, isFeasible } from './judge.ts'
import type { PlacementJob } from './placement-job.ts'
import type { PlacementPolicy } from './placement-policy.ts'

/** Draws for each pool that could be meant; then any seed will do. */
const DRAWS_PER_POOL = 32

/**
 * How much a pool is meant for a strict job with this seed: of the pools that can take it the one
 * with the highest weight does, so that the same model, fingerprint and seed meet the same replica
 * whoever else comes and goes (rendezvous hashing). 0 to 2^32 - 1.
 */
export const strictWeight = (job: PlacementJob, seed: bigint, poolId: PoolId): number => {
  let hash = 0x811c_9dc5
  hash = mix(hash, job.modelId)
  hash = mix(hash, job.samplerProfileVersion)
  hash = mix(hash, job.engineVersion)
  hash = mix(hash, job.modelDigest)
  hash = mix(hash, seed.toString(36))
  return finish(mix(hash, poolId))
}

/**
 * A seed for a strict job without one, that means the pool placement chose for it. Ask before its
 * slot is taken. 0 to 2^31 - 1: every engine takes those.
 */
export const mintSeed = (
  view: FleetView,
  job: PlacementJob,
  { policy, poolId, now }: { policy: PlacementPolicy; poolId: PoolId; now: number },
  rng: Rng,
): bigint => {
  const question = ask(view, job, policy, now)
  const others = (view.poolsOfModel.get(job.modelId) ?? [])
    .filter((pool) => pool.poolId !== poolId && isFeasible(question, pool))
    .map((pool) => pool.poolId)
  let seed = drawSeed(rng)
  for (let draw = DRAWS_PER_POOL * (others.length + 1); draw > 0; draw--) {
    const own = strictWeight(job, seed, poolId)
    const beats = (other: PoolId) => {
      const weight = strictWeight(job, seed, other)
      return own > weight || (own === weight && poolId < other)
    }
    if (others.every(beats)) return seed
    seed = drawSeed(rng)
  }
  return seed
}

const drawSeed = (rng: Rng): bigint => BigInt(randomInt(rng, 2 ** 31))

/** FNV-1a over a text and an end mark, so that neighbours do not run together. */
const mix = (hash: number, text: string): number => {
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193)
  }
  return Math.imul(hash ^ 0xff, 0x0100_0193)
}

/** Murmur3's finalizer: ids that differ in their last letter get weights that have nothing in common. */
const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
