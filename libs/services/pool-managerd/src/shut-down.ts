import { sleep, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Host } from './host.ts'
import type { Ingress } from './ingress/ingress.ts'
import type { Pool } from './pool/pool.ts'
import { stopPools } from './pool/stop-pools.ts'

/**
 * An orderly end: nothing new is taken, what is in flight may finish until the deadline. Then the
 * engines that may outlive the agent are left to its next life, and the others are stopped, so
 * that nothing else stays behind.
 */
export const shutDown = async (
  host: Host,
  ingress: Ingress,
  options: { readonly clock: Clock; readonly log: Logger; readonly drainTimeoutMs: number },
): Promise<void> => {
  const { clock, log, drainTimeoutMs } = options
  ingress.drain()
  host.markDraining()
  const pools = [...host.pools.values()]
  const inFlight = pools.reduce((sum, { slots }) => sum + slots.active, 0)
  if (inFlight > 0) {
    log.warn({ in_flight: inFlight, deadline_ms: drainTimeoutMs }, 'finishing requests in flight')
    const deadline = new AbortController()
    await Promise.race([
      ingress.idle(),
      sleep(clock, drainTimeoutMs, deadline.signal).catch(() => undefined),
    ])
    deadline.abort()
  }
  const [left, stopped] = [pools.filter(mayStay), pools.filter((pool) => !mayStay(pool))]
  for (const { spec, instance } of left)
    log.info({ pool_id: spec.poolId, pid: instance?.pid }, 'engine is left to the next life')
  await Promise.all([...left.map((pool) => pool.leave()), stopPools(stopped, { clock, log })])
  host.publisher.flush()
}

/** What is being started or ended is not left half way. */
const mayStay = ({ spec, supervised: { state } }: Pool): boolean =>
  spec.outlivesAgent === true &&
  (state.kind === 'starting' ||
    state.kind === 'ready' ||
    (state.kind === 'draining' && state.goal === 'hold'))
