import { byteText } from './byte-text.ts'
import type { PoolView } from './gateway-client.ts'

/** How far the first pool that loads has come, in a few words; empty when none tells. */
export const loadingText = (pools: readonly PoolView[]): string => {
  const pool = pools.find(({ loading }) => loading?.status !== undefined && !isOver(loading.status))
  if (!pool?.loading) return ''
  const { status = '', percent_complete: percent, bytes_downloaded: done } = pool.loading
  const { total_bytes: total } = pool.loading
  return [
    `${pool.id}: ${status}`,
    ...(typeof percent === 'number' ? [`${Math.floor(percent)} %`] : []),
    ...(status === 'download' && typeof done === 'number'
      ? [typeof total === 'number' ? `(${byteText(done)} of ${byteText(total)})` : byteText(done)]
      : []),
  ].join(' ')
}

const isOver = (status: string) => status === 'ready' || status === 'failed'
