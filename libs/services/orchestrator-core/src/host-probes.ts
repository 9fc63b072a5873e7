import type { Bus } from '@berth/bus'
import { PoolManagerService, type HostSnapshot } from '@berth/contract'
import { BerthError, every, type Clock, type HostId } from '@berth/kernel'
import { createClient, type Client, type RpcLog } from '@berth/rpc'
import type { Coordinator } from './coordinator.ts'
import { toHostSnapshot } from './wire-snapshot.ts'

const PROBE_MS = 2_000
const DEADLINE_MS = 1_500
/** Probes under way at once, over all hosts. */
const MAX_CONCURRENT = 64

/** Asks an agent for its snapshot; rejects with a `BerthError` when it does not answer in time. */
export type ReadHost = (grpcAddress: string, signal: AbortSignal) => Promise<HostSnapshot>

export interface HostProbesOptions {
  readonly clock: Clock
  readonly log: RpcLog
  readonly coordinator: Coordinator
  readonly readHost: ReadHost
  isBusConnected(): boolean
}

/**
 * While the bus is down the leader asks every host itself, each 2 s: what a host answers is folded
 * like a snapshot off the bus, and one that does not answer grows old as usual. One probe of a
 * host at a time.
 */
export const startHostProbes = (options: HostProbesOptions): AsyncDisposable => {
  const { coordinator, clock } = options
  const { core } = coordinator
  const stopping = new AbortController()
  const running = new Map<HostId, Promise<void>>()
  const waiting = new Set<HostId>()

  const isNeeded = () => core.role.kind === 'leader' && !options.isBusConnected()
  const startNext = () => {
    for (const hostId of waiting) {
      if (running.size >= MAX_CONCURRENT) return
      waiting.delete(hostId)
      const probe = probeHost(options, hostId, stopping.signal).finally(() => {
        running.delete(hostId)
        startNext()
      })
      running.set(hostId, probe)
    }
  }
  const stop = every(clock, PROBE_MS, () => {
    if (!isNeeded()) return waiting.clear()
    for (const hostId of core.view.hosts.keys()) if (!running.has(hostId)) waiting.add(hostId)
    startNext()
  })
  return {
    [Symbol.asyncDispose]: async () => {
      stop()
      waiting.clear()
      stopping.abort(new BerthError('CANCELLED', 'This core is stopping.'))
      await Promise.all(running.values())
    },
  }
}

/** Never rejects: not answering is an answer. */
const probeHost = async (options: HostProbesOptions, hostId: HostId, signal: AbortSignal) => {
  const { coordinator, log } = options
  const host = coordinator.core.view.hosts.get(hostId)
  if (!host) return
  try {
    const published = await options.readHost(host.snapshot.grpcAddress, signal)
    const snapshot = toHostSnapshot(published)
    if (snapshot.hostId !== hostId) throw notThere(hostId, snapshot.hostId)
    // Asked before the bus came back: what it says is as good as what the bus says.
    coordinator.onSnapshot(snapshot, published)
  } catch (error) {
    if (signal.aborted) return
    const { reason, message } = BerthError.from(error)
    log.info({ hostId, reason, detail: message }, 'host did not answer a probe')
    if (!options.isBusConnected()) coordinator.onHostSilent(hostId)
  }
}

const notThere = (wanted: HostId, found: HostId) =>
  new BerthError('HOST_NOT_FOUND', `The agent of ${found} answers at the address of ${wanted}.`)

/** Reads over gRPC. Connections are kept for the next probe, until the bus is back. */
export const createRpcHostReader = (
  bus: Pick<Bus, 'onStatus'>,
): { readonly read: ReadHost } & Disposable => {
  const clients = new Map<string, Client<typeof PoolManagerService> & Disposable>()
  const clientOf = (address: string) => {
    const known = clients.get(address)
    if (known) return known
    const client = createClient(PoolManagerService, { address, defaultDeadlineMs: DEADLINE_MS })
    clients.set(address, client)
    return client
  }
  const closeAll = () => {
    for (const client of clients.values()) client[Symbol.dispose]()
    clients.clear()
  }
  const unwatch = bus.onStatus((isConnected) => isConnected && closeAll())
  return {
    read: async (address, signal) => {
      const { host } = await clientOf(address).getHost({}, { signal })
      if (host) return host
      throw new BerthError('RPC_FAILED', `The agent at ${address} answered without a host.`)
    },
    [Symbol.dispose]: () => {
      unwatch()
      closeAll()
    },
  }
}
