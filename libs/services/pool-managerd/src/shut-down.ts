import { sleep, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Host } from './host.ts'
import type { Ingress } from './ingress/ingress.ts'
import { stopPools } from './pool/stop-pools.ts'

/**
 * An orderly end: nothing new is taken, what is in flight may finish until the deadline, then the
 * engines are stopped, so that no process and no port stays behind.
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
  await stopPools(pools, { clock, log })
  host.publisher.flush()
}
