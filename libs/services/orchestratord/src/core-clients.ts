import type { DescService } from '@bufbuild/protobuf'
import { BerthError } from '@berth/kernel'
import { createClient, type Client } from '@berth/rpc'

const DEADLINE_MS = 2_000
/** Connections kept; leaders outside the static list come and go. */
const MAX_CLIENTS = 16

/** Which cores there are, and which of them leads as far as is known. */
export interface CoreAddresses {
  readonly addresses: readonly string[]
  leader(): string | undefined
}

/**
 * Calls to core: `ask` tries the leader while there is one, then every other address. Fails
 * with `BerthError` only; with `CONTROL_PLANE_UNAVAILABLE` when no core answers.
 */
export const createCoreClients = <S extends DescService>(service: S, cores: CoreAddresses) => {
  type Connected = Client<S> & Disposable
  const clients = new Map<string, Connected>()
  const clientOf = (address: string): Connected => {
    const known = clients.get(address)
    if (known) return known
    const [oldest] = clients
    if (oldest && clients.size >= MAX_CLIENTS) {
      oldest[1][Symbol.dispose]()
      clients.delete(oldest[0])
    }
    const client = createClient(service, { address, defaultDeadlineMs: DEADLINE_MS })
    clients.set(address, client)
    return client
  }
  const ask = async <T>(call: (client: Client<S>) => Promise<T>): Promise<T> => {
    for (const address of inOrder(cores)) {
      try {
        return await call(clientOf(address))
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
    }
    throw absent(cores.addresses)
  }
  /** As `ask`, for a stream: once it has said something, its end is its end. */
  const follow = async function* <T>(
    call: (client: Client<S>) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    for (const address of inOrder(cores)) {
      let hasBegun = false
      try {
        for await (const message of call(clientOf(address))) {
          hasBegun = true
          yield message
        }
        return
      } catch (error) {
        if (hasBegun || !isAbsent(error)) throw error
      }
    }
    throw absent(cores.addresses)
  }
  return {
    ask,
    follow,
    [Symbol.dispose]: () => {
      for (const client of clients.values()) client[Symbol.dispose]()
      clients.clear()
    },
  }
}

const inOrder = (cores: CoreAddresses): ReadonlySet<string> => {
  const leader = cores.leader()
  return new Set(leader === undefined ? cores.addresses : [leader, ...cores.addresses])
}

const isAbsent = (error: unknown) => {
  const { reason } = BerthError.from(error)
  return reason === 'RPC_UNAVAILABLE' || reason === 'RPC_DEADLINE' || reason === 'NOT_LEADER'
}

const absent = (addresses: readonly string[]) =>
  new BerthError(
    'CONTROL_PLANE_UNAVAILABLE',
    `No placement service answers at ${addresses.join(', ')}. Check that orchestrator-core runs.`,
    { retryAfterMs: 2_000 },
  )
