import type { PoolView } from '@berth/fleet'
import type { BerthError, HostId } from '@berth/kernel'
import type { LeaseClaims } from '@berth/lease'
import type { CoreEvent } from './core-event.ts'
import type { LedgerWrite } from './ledger-port.ts'
import type { SessionSignal } from './session-signal.ts'

/** One stream of a gateway, for as long as it lives. */
export type SessionKey = number

/** A host whose agent needs the leader's lease key. */
export interface KeyDelivery {
  readonly hostId: HostId
  readonly epoch: number
  readonly term: number
  readonly grpcAddress: string
}

/**
 * Everything the coordinator does to the world. None of it waits: what comes of it comes back as
 * an event.
 */
export interface Effects {
  /** Queues a signal on a session; nothing when the session is over. */
  send(session: SessionKey, signal: SessionSignal): void
  /** Ends a session: gently without an error, at once with one. */
  close(session: SessionKey, error?: BerthError): void
  /** Delivers the lease key until it arrives, the epoch ends or `forgetHost`; then `onHostKeyed`. */
  installKey(delivery: KeyDelivery): void
  forgetHost(hostId: HostId): void
  /** Signs a lease for the ingress of its host, with the key of the present term. */
  mintToken(claims: LeaseClaims): string
  /** A higher term was seen: somebody else leads. */
  resign(seenTerm: number): void
  report(event: CoreEvent): void
  /** Asks the agent of a pool to start it. What comes of it is seen in its snapshots. */
  startPool(pool: PoolView): void
  /** Reads the ledger, for as long as it takes; then `onLedgerLoaded`. */
  loadLedger(term: number): void
  /** Stores entries of the ledger; then `onLedgerSaved` with what became of each. */
  saveLedger(round: number, writes: readonly LedgerWrite[]): void
}
