import type { HostView } from '@berth/fleet'
import { BerthError } from '@berth/kernel'
import type { CallContext } from '@berth/rpc'

/** Hosts asked at once. */
const ASKED_MAX = 32

/**
 * Asks many hosts, so many at once. Those that could not be asked are named, sorted: one that is
 * gone must not hide what the others know.
 */
export const askHosts = async (
  hosts: readonly HostView[],
  { log }: Pick<CallContext, 'log'>,
  work: (host: HostView) => Promise<void>,
): Promise<string[]> => {
  const silent = new Set<string>()
  await forEachAtMost(ASKED_MAX, hosts, async (host) => {
    try {
      await work(host)
    } catch (error) {
      const { reason, message } = BerthError.from(error)
      log.info({ hostId: host.hostId, reason, detail: message }, 'host told nothing')
      silent.add(host.hostId)
    }
  })
  return [...silent].sort()
}

/** Runs `work` for all of `items`, so many at once. */
const forEachAtMost = async <T>(
  atOnce: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> => {
  const rest = [...items]
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}
