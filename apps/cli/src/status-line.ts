import { sleep, type Clock } from '@berth/kernel'
import { listPools, type PoolView } from './gateway-client.ts'
import { loadingText } from './loading-text.ts'
import type { Terminal } from './terminal.ts'

export interface StatusLine {
  readonly url: string
  readonly clock: Clock
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

const INTERVAL_MS = 1_000

/** Keeps one line up to date until `signal` aborts. */
export const showStatusLine = async (line: StatusLine): Promise<void> => {
  const { url, clock, terminal, signal } = line
  const began = clock.now()
  while (!signal.aborted) {
    const summary = summarise(await listPools(url))
    const elapsed = formatDuration(clock.now() - began)
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- aborted while waiting
    if (signal.aborted) return
    terminal.live(`${url} · ${summary} · up ${elapsed}`, inTenths(summary))
    // Rejects only because of the abort that ends the loop.
    await sleep(clock, INTERVAL_MS, signal).catch(() => undefined)
  }
}

const summarise = (pools: readonly PoolView[] | undefined): string => {
  if (pools === undefined) return 'the gateway does not answer'
  const ready = pools.filter((pool) => pool.ready).length
  const inFlight = pools.reduce((sum, pool) => sum + pool.active_leases, 0)
  const loading = loadingText(pools)
  const facts = [`${ready} of ${pools.length} pools ready`, `${inFlight} in flight`]
  return [...facts, ...(loading === '' ? [] : [loading])].join(' · ')
}

/** The same for all of a tenth of a load: a line for each byte would be no log. */
export const inTenths = (text: string): string =>
  text.replace(/(\d*)\d %(?: \([^)]*\))?/, (_all, tens: string) => `${tens}0 %`)

/** `75 s` as `1 min 15 s`. */
export const formatDuration = (ms: number): string => {
  const seconds = Math.floor(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  if (minutes === 0) return `${seconds} s`
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
