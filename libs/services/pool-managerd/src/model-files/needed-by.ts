import type { Pool } from '../pool/pool.ts'
import { writtenModel } from '../pools-file/with-model.ts'

/** Everything a pool has, would load, or would go back to, as `model` in the pools file names it. */
export const modelsOf = ({ spec, supervised: { reload } }: Pool): readonly string[] => [
  ...new Set([spec.modelRef, writtenModel(spec), ...(reload ? [reload.to, reload.from] : [])]),
]

/** The pools that need a model. */
export const poolsNeeding = (pools: Iterable<Pool>, modelRef: string): readonly string[] =>
  [...pools].filter((pool) => modelsOf(pool).includes(modelRef)).map(({ spec }) => spec.poolId)
