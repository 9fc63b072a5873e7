import { readStored, subjects, type ReadStoredOptions } from '@berth/bus'
import { PoolManagerService, type HostSnapshot } from '@berth/contract'
import { BerthError, messageOf, type Clock } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import type { Logger } from '@berth/runtime'

/** For each step on the way to the last word, and for the answer of who gave it. */
const STEP_MS = 1_000

/**
 * Throws `CONFIG_INVALID` while another agent is this host: its last word names an address, and
 * there it answers. Two agents of one id would take turns in every picture of the fleet. An earlier
 * life of this agent has ended before, since it held the state directory; one that is stopping
 * makes room.
 */
export const refuseTwin = async (of: {
  /** Where its last word is. */
  readonly access: Omit<ReadStoredOptions, 'timeoutMs'>
  readonly hostId: string
  readonly clock: Clock
  readonly log: Logger
}): Promise<void> => {
  const { hostId, clock, log } = of
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

const lastWord = async ({
  access,
  hostId,
  log,
}: Parameters<typeof refuseTwin>[0]): Promise<HostSnapshot | undefined> => {
  try {
    return await readStored(subjects.hostSnapshot(hostId), { ...access, timeoutMs: STEP_MS })
  } catch (error) {
    // Engines are started without NATS too; core says when two agents are one host.
    log.warn({ problem: messageOf(error) }, 'whether this host has another agent is not known')
    return undefined
  }
}

/** Who answers there; nobody is the usual end of an agent. */
const hostAt = async (address: string, clock: Clock): Promise<HostSnapshot | undefined> => {
  using client = createClient(PoolManagerService, { address, defaultDeadlineMs: STEP_MS, clock })
  return await client.getHost({}).then(
    ({ host }) => host,
    () => undefined,
  )
}
