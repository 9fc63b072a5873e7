import { BerthError, type Clock } from '@berth/kernel'
import type { Pool } from '../pool/pool.ts'

/** For callers without a deadline: as long as a slow model takes to load. */
const WAIT_MAX_MS = 600_000

/**
 * Resolves when the pool is ready. Starts it when it stands still; callers that come meanwhile
 * wait for the same start. Throws `POOL_UNREADY` with the cause, or `START_TIMEOUT`.
 */
export const ensureHealthy = async (
  pool: Pool,
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly deadlineMs?: number },
): Promise<void> => {
  const { kind } = pool.supervised.state
  if (kind === 'ready') return
  if (kind === 'draining') throw unready(pool, 'POOL_DRAINING')
  if (!pool.spec.policy.hasProcess && kind === 'starting') throw unready(pool)
  if (kind === 'stopped' || kind === 'failed') pool.dispatch({ kind: 'start' })
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      const { state } = pool.supervised
      if (state.kind === 'ready') return end(resolve)
      if (state.kind === 'failed' || state.kind === 'stopped') end(() => reject(unready(pool)))
    }
    const onAbort = () => end(() => reject(options.signal.reason as Error))
    const waitMs = options.deadlineMs ?? WAIT_MAX_MS
    const cancels = [
      pool.onChange(look),
      options.clock.after(waitMs, () => end(() => reject(unready(pool, 'START_TIMEOUT')))),
      () => options.signal.removeEventListener('abort', onAbort),
    ]
    const end = (settle: () => void) => {
      for (const cancel of cancels) cancel()
      settle()
    }
    options.signal.addEventListener('abort', onAbort, { once: true })
    look()
  })
}

const unready = (
  { spec, supervised }: Pool,
  reason: 'POOL_UNREADY' | 'POOL_DRAINING' | 'START_TIMEOUT' = 'POOL_UNREADY',
): BerthError => {
  const { state, lastError } = supervised
  const cause = lastError || supervised.reason
  return new BerthError(
    reason,
    `Pool ${spec.poolId} is ${state.kind}${cause ? `: ${cause}` : ''}.${adviceOf(spec)}`,
    { facts: { pool_id: spec.poolId, state: state.kind } },
  )
}

const adviceOf = ({ engine, unit }: Pool['spec']): string => {
  if (engine.mode === 'managed') return ''
  const what = unit ? `systemctl start ${unit}` : `start the server at ${engine.url ?? 'its url'}`
  return ` Berth does not start ${engine.mode} engines: ${what}.`
}
