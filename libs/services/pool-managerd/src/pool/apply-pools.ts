import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '@berth/kernel'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { createPoolActions, type PoolActionsOptions } from './pool-actions.ts'
import { asOf, comparePools, type PoolChanges } from './pool-changes.ts'

/** Brings the pools of a running host to what a file says. Ends with the agent. */
export interface PoolsChanger extends Disposable {
  /** Says at once what is about to change, and changes it behind the caller's back. */
  apply(specs: readonly PoolSpec[]): PoolChanges
}

/**
 * Each pool is brought towards the newest file by itself: one that drains for minutes holds up no
 * other, but those that wait for its GPUs. A pool that the file leaves as it is is not touched.
 */
export const createPoolsChanger = (options: PoolActionsOptions): PoolsChanger => {
  const { host, log } = options
  const ended = new AbortController()
  const { begin, change, remove } = createPoolActions(options, ended.signal)
  const settling = new Set<string>()
  /** Entries whose model cannot be had: the next file is another try. */
  const refused = new WeakSet<PoolSpec>()
  let wanted: ReadonlyMap<string, PoolSpec> = new Map()

  /** One step towards the file; false when the pool is there. */
  const step = async (poolId: string): Promise<boolean> => {
    const pool = host.pools.get(poolId)
    const entry = wanted.get(poolId)
    const isWanted = () => wanted.get(poolId) === entry
    if (!pool && !entry) return false
    if (!entry) await remove(pool!)
    else if (refused.has(entry)) return false
    else if (!pool) await begin(entry, isWanted)
    else {
      const spec = asOf(pool.spec, entry)
      if (isDeepStrictEqual(spec, pool.spec)) return false
      if (!(await change(pool, spec, isWanted))) refused.add(entry)
    }
    return true
  }
  const settle = async (poolId: string) => {
    if (settling.has(poolId)) return
    settling.add(poolId)
    try {
      while (!ended.signal.aborted && (await step(poolId)));
    } catch (error) {
      if (!ended.signal.aborted)
        log.error({ pool_id: poolId, error: messageOf(error) }, 'pool was not changed')
    } finally {
      settling.delete(poolId)
    }
  }
  return {
    apply: (specs) => {
      wanted = new Map(specs.map((spec) => [spec.poolId, spec]))
      const changes = comparePools(host.pools, wanted)
      for (const poolId of new Set([...host.pools.keys(), ...wanted.keys()])) void settle(poolId)
      return changes
    },
    [Symbol.dispose]: () => ended.abort(),
  }
}
