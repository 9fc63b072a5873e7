import { readFileSync } from 'node:fs'
import type { Clock } from '@berth/kernel'
import { parse } from 'yaml'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { listPools, type PoolView } from './gateway-client.ts'
import { loadingText } from './loading-text.ts'
import type { UpContext } from './up-context.ts'
import { waitUntil } from './wait-until.ts'

const POOL_TIMEOUT_MS = 300_000

/**
 * The first pool that takes requests, once one does; `undefined` where there is nothing to wait
 * for: no pools, or only pools that rest until somebody commands otherwise. Rejects when none can
 * be had.
 */
export const firstReadyPool = async (
  { terminal, signal }: UpContext,
  { clock, url, poolsFile }: { readonly clock: Clock; readonly url: string; poolsFile: string },
): Promise<PoolView | undefined> => {
  if (!hasPools(poolsFile)) return undefined
  let loading = ''
  const wait = {
    progress: () => loading,
    ...{ clock, terminal, signal, timeoutMs: POOL_TIMEOUT_MS },
    label: 'Loading the model',
    next: 'Look at the pools: ./berth status, and the logs in .berth/run.',
  }
  const found = await waitUntil(wait, async () => {
    const pools = (await listPools(url)) ?? []
    loading = loadingText(pools)
    const ready = pools.find((pool) => pool.ready)
    if (ready || pools.length === 0) return ready && { pool: ready }
    const broken = pools.find(({ state }) => state === 'failed')
    if (broken) throw poolFailed(broken)
    return pools.every(isAtRest) ? { pool: undefined } : undefined
  })
  return found.pool
}

/** The agent has read it, and found nothing wrong. */
const hasPools = (path: string): boolean => {
  const { pools } = parse(readFileSync(path, 'utf8')) as { readonly pools?: readonly unknown[] }
  return (pools ?? []).length > 0
}

/** Stopped by command in an earlier run, or without a model. A pool to be started says neither. */
const isAtRest = ({ state, state_reason: reason }: PoolView): boolean =>
  state === 'stopped' && Boolean(reason)

const poolFailed = (pool: PoolView) =>
  new CliError(
    EXIT.failed,
    `Pool ${pool.id} failed: ${pool.last_error ?? 'no reason was given'}`,
    'Read the engine log under .berth/run/agent.',
  )
