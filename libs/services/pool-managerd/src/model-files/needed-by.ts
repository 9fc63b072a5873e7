import type { Pool } from '../pool/pool.ts'
import { writtenModel } from '../pools-file/with-model.ts'
import { canonicalRef } from './same-model.ts'

/** What a pool has, would load, or would go back to, as `model` in the pools file names it. */
export const modelsNeededBy = ({ spec, supervised: { reload } }: Pool): readonly string[] => [
  ...new Set([spec.modelRef, writtenModel(spec), ...(reload ? [reload.to, reload.from] : [])]),
]

/** The pools that need a model, however they spell it. */
export const poolsNeeding = (pools: Iterable<Pool>, modelRef: string): readonly string[] => {
  const wanted = canonicalRef(modelRef)
  const isIt = (ref: string) =>
    ref !== '' && (canonicalRef(ref) === wanted || canonicalRef(`hf:${ref}`) === wanted)
  return [...pools].flatMap((pool) => (modelsNeededBy(pool).some(isIt) ? [pool.spec.poolId] : []))
}
