import { subjects, type Bus } from '@berth/bus'
import { PoolManagerService, type HostSnapshot } from '@berth/contract'
import { BerthError, type Clock } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import type { Logger } from '@berth/runtime'

/** A bus that has the last word of this host gives it within moments. */
const READ_MS = 300
const ASK_MS = 1_000

/**
 * Throws `CONFIG_INVALID` while another agent is this host: its last word names an address, and
 * there it answers. Two agents of one id would take turns in every picture of the fleet. An earlier
 * life of this agent has ended before, since it held the state directory; one that is stopping
 * makes room.
 */
export const refuseTwin = async (of: {
  readonly bus: Pick<Bus, 'isConnected' | 'watchLatest'>
  readonly hostId: string
  readonly clock: Clock
  readonly log: Logger
}): Promise<void> => {
  const { bus, hostId, clock, log } = of
  if (!bus.isConnected) return
  const last = await lastWord(of)
  if (!last?.grpcAddress) return
  const { grpcAddress: address } = last
  const twin = await hostAt(address, clock)
  if (twin?.hostId !== hostId) return
  if (twin.isDraining)
    return log.warn({ address }, 'another agent of this host id is stopping: this one takes over')
  throw new BerthError(
    'CONFIG_INVALID',
    `Another agent is host ${hostId} already: it answers at ${address} (epoch ${twin.epoch}). ` +
      'Stop it, or name this host otherwise: host in the pools file, or --host-id.',
    { facts: { address } },
  )
}

const lastWord = ({
  bus,
  hostId,
  clock,
}: Parameters<typeof refuseTwin>[0]): Promise<HostSnapshot | undefined> =>
  new Promise((resolve) => {
    const end = (snapshot?: HostSnapshot) => {
      cancel()
      unwatch()
      resolve(snapshot)
    }
    const cancel = clock.after(READ_MS, () => end())
    const unwatch = bus.watchLatest(subjects.hostSnapshot(hostId), (snapshot) => end(snapshot))
  })

/** Who answers there; nobody is the usual end of an agent. */
const hostAt = async (address: string, clock: Clock): Promise<HostSnapshot | undefined> => {
  using client = createClient(PoolManagerService, { address, defaultDeadlineMs: ASK_MS, clock })
  return client.getHost({}).then(
    ({ host }) => host,
    () => undefined,
  )
}
