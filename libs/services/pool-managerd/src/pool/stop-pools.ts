import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Pool } from './pool.ts'

/** Beyond an engine's own grace: SIGKILL, and the kernel taking its memory back. */
const BEYOND_GRACE_MS = 10_000

/** Stops every pool at once and resolves when nothing of their engines is left. */
export const stopPools = async (
  pools: readonly Pool[],
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<void> => {
  const graceMs = Math.max(0, ...pools.map(({ spec }) => spec.engine.shutdownGraceMs))
  await Promise.all(pools.map((pool) => stopPool(pool, clock, graceMs + BEYOND_GRACE_MS)))
  for (const pool of pools) {
    if (!isStopped(pool))
      log.error({ pool_id: pool.spec.poolId, pid: pool.instance?.pid }, 'engine outlives the agent')
    pool[Symbol.dispose]()
  }
}

const isStopped = ({ supervised }: Pool) => supervised.state.kind === 'stopped'

const stopPool = (pool: Pool, clock: Clock, timeoutMs: number): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      cancel()
      unlisten()
      resolve()
    }
    const cancel = clock.after(timeoutMs, end)
    const look = () => {
      if (isStopped(pool)) end()
    }
    const unlisten = pool.onChange(look)
    pool.end(0)
    look()
  })
