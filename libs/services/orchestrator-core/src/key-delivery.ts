import { PoolManagerService } from '@berth/contract'
import { BerthError, messageOf, sleep, type Clock, type HostId, type Rng } from '@berth/kernel'
import { LEASE_KEY_BYTES, deriveHostKey, mintLeaseToken, type LeaseClaims } from '@berth/lease'
import { createClient, type RpcLog } from '@berth/rpc'
import type { KeyDelivery } from './effects.ts'

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5_000
const DEADLINE_MS = 2_000

/** Installs a key on an agent; rejects with the agent's `BerthError`. */
export type InstallKey = (
  delivery: KeyDelivery,
  key: { readonly keyId: string; readonly key: Uint8Array; readonly leaderId: string },
  signal: AbortSignal,
) => Promise<void>

/** The keys of a leadership: hosts get theirs, tokens are signed with them. */
export interface KeyRing extends AsyncDisposable {
  /** Delivers until it arrives, `forget`, a newer delivery, or an answer that ends it. */
  deliver(delivery: KeyDelivery): void
  forget(hostId: HostId): void
  /** Signs with the key of the claims' host and term. */
  mint(claims: LeaseClaims): string
}

export interface KeyRingOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: RpcLog
  readonly coreId: string
  /** 32 bytes; absent: one is drawn for each term. */
  readonly master?: Uint8Array
  readonly install: InstallKey
  onKeyed(hostId: HostId, epoch: number, term: number): void
  /** An agent knows a higher term. */
  onStaleTerm(seenTerm: number): void
}

/** Keys derived from one master per term, delivered with doubling pauses of at most 5 s. */
export const createKeyRing = (options: KeyRingOptions): KeyRing => {
  const { clock, log } = options
  const deliveries = new Map<HostId, AbortController>()
  const running = new Set<Promise<void>>()
  const keys = new Map<string, Uint8Array>()
  let drawn: { readonly term: number; readonly master: Uint8Array } | undefined

  const masterOf = (term: number): Uint8Array => {
    if (options.master) return options.master
    if (drawn?.term !== term) {
      drawn = { term, master: options.rng.bytes(LEASE_KEY_BYTES) }
      keys.clear()
    }
    return drawn.master
  }
  const keyOf = (hostId: string, term: number) => {
    const master = masterOf(term)
    let key = keys.get(hostId)
    if (!key) keys.set(hostId, (key = deriveHostKey(master, hostId)))
    return { keyId: `t${term}`, key, leaderId: options.coreId }
  }
  const forget = (hostId: HostId) => {
    deliveries.get(hostId)?.abort(new BerthError('CANCELLED', 'The delivery is not needed.'))
    deliveries.delete(hostId)
  }
  const run = async (delivery: KeyDelivery, signal: AbortSignal) => {
    const { hostId, epoch, term } = delivery
    for (let pauseMs = FIRST_BACKOFF_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_BACKOFF_MS)) {
      const error = await options.install(delivery, keyOf(hostId, term), signal).then(
        () => undefined,
        (thrown: unknown) => BerthError.from(thrown),
      )
      if (signal.aborted) return
      if (!error) return options.onKeyed(hostId, epoch, term)
      log.warn({ hostId, reason: error.reason, detail: error.message }, 'lease key not delivered')
      // A new epoch, or an address of the host's own, comes with a snapshot and its delivery.
      if (error.reason === 'STALE_EPOCH' || error.reason === 'HOST_NOT_FOUND') return
      if (error.reason === 'STALE_TERM') return options.onStaleTerm(seenTerm(error, term))
      await sleep(clock, pauseMs, signal)
    }
  }
  return {
    forget,
    deliver: (delivery) => {
      forget(delivery.hostId)
      const controller = new AbortController()
      deliveries.set(delivery.hostId, controller)
      const { hostId } = delivery
      const task = run(delivery, controller.signal)
        .catch((error: unknown) => {
          if (!controller.signal.aborted) {
            log.error({ hostId, detail: messageOf(error) }, 'lease key delivery failed')
          }
        })
        .finally(() => {
          running.delete(task)
          if (deliveries.get(hostId) === controller) deliveries.delete(hostId)
        })
      running.add(task)
    },
    mint: (claims) => mintLeaseToken(keyOf(claims.hostId, claims.term), claims),
    [Symbol.asyncDispose]: async () => {
      for (const hostId of [...deliveries.keys()]) forget(hostId)
      await Promise.all(running)
    },
  }
}

/** Delivers over gRPC, on a connection of its own: it happens once per agent life. */
export const installKeyByRpc: InstallKey = async (delivery, key, signal) => {
  const { hostId, epoch, term, grpcAddress: address } = delivery
  using client = createClient(PoolManagerService, { address, defaultDeadlineMs: DEADLINE_MS })
  const request = { ...key, hostId, term: BigInt(term), epoch: BigInt(epoch) }
  await client.installLeaseKey(request, { signal })
}

const seenTerm = (error: BerthError, term: number): number => {
  const told = Number(error.facts['term'])
  return Number.isSafeInteger(told) && told > term ? told : term + 1
}
