import { isDeepStrictEqual } from 'node:util'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel, writtenModel } from '../pools-file/with-model.ts'
import { hashOfSpec } from '../state/spec-hash.ts'
import type { Pool } from './pool.ts'

/** How many pools of a file are what they were, and what becomes of the others. */
export interface PoolChanges {
  readonly unchanged: readonly string[]
  /** Watched in another way from now on, with the same engine. */
  readonly adjusted: readonly string[]
  /** Drained, ended and started anew. */
  readonly replaced: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** What a file changes of the pools there are. */
export const comparePools = (
  pools: ReadonlyMap<string, Pool>,
  wanted: ReadonlyMap<string, PoolSpec>,
): PoolChanges => {
  const changes = [...pools.values()].flatMap((pool) => {
    const entry = wanted.get(pool.spec.poolId)
    return entry ? [{ poolId: entry.poolId, change: changeOf(pool, asOf(pool.spec, entry)) }] : []
  })
  const of = (change: string) =>
    changes.filter((one) => one.change === change).map(({ poolId }) => poolId)
  return {
    unchanged: of('unchanged'),
    adjusted: of('adjusted'),
    replaced: of('replaced'),
    added: [...wanted.keys()].filter((poolId) => !pools.has(poolId)),
    removed: [...pools.keys()].filter((poolId) => !wanted.has(poolId)),
  }
}

const changeOf = (pool: Pool, after: PoolSpec) => {
  if (isDeepStrictEqual(pool.spec, after)) return 'unchanged'
  return keepsEngine(pool, after) ? 'adjusted' : 'replaced'
}

/**
 * An entry of the file for a pool that is there: with the model of its last reload while the file
 * names the same one as before, and with what is known of its devices.
 */
export const asOf = (before: PoolSpec, entry: PoolSpec): PoolSpec => {
  const spec =
    writtenModel(entry) === writtenModel(before) ? withModel(entry, before.modelRef) : entry
  const { deviceUuids = before.deviceUuids } = spec
  return deviceUuids && isDeepStrictEqual(spec.devices, before.devices)
    ? { ...spec, deviceUuids: before.deviceUuids ?? deviceUuids }
    : spec
}

/**
 * The engine that the pool has is what a start with the new entry would bring. A key of a server
 * that we do not run is told to it with every request.
 */
export const keepsEngine = ({ spec: before, instance }: Pool, after: PoolSpec): boolean =>
  instance !== undefined &&
  hashOfSpec(before) === hashOfSpec(after) &&
  before.apiKeyEnv === after.apiKeyEnv
