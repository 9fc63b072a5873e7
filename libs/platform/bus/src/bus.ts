import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Cancel } from '@berth/kernel'
import type { Bucket } from './bucket.ts'
import type { Subject } from './subjects.ts'

/** `stored`: a last value out of a stream; whoever sent it may be gone since. */
export type MessageOrigin = 'live' | 'stored'

/**
 * What a subscriber is called with: the message, the subject it came on, and from where; without a
 * word about that it is live.
 */
export type OnMessage<M extends DescMessage> = (
  message: MessageShape<M>,
  subjectName: string,
  origin?: MessageOrigin,
) => void

/** What the bus had to drop since it was made. */
export interface BusCounts {
  /** Payloads that were no message of their subject. */
  readonly undecodable: number
  /** Messages that did not fit the buffer while disconnected, or that the server would not take. */
  readonly dropped: number
}

/**
 * Messages and small durable state between services. It reconnects for ever; while it is down
 * nothing throws but what needs an answer (`publishDurable`, `Kv`: `BUS_UNAVAILABLE`).
 */
export interface Bus extends AsyncDisposable {
  readonly isConnected: boolean
  readonly counts: BusCounts
  /** Calls `fn` on every change. It is not called with the state there is now. */
  onStatus(fn: (isConnected: boolean) => void): Cancel
  /**
   * Sends without waiting; streams store it all the same. Never throws. While disconnected the
   * latest message of each subject is kept (1,024 subjects) and sent after the reconnect.
   */
  publish<M extends DescMessage>(subject: Subject<M>, message: MessageShape<M>): void
  /** Resolves when a stream has stored it. A repeat with the same `messageId` is stored once. */
  publishDurable<M extends DescMessage>(
    subject: Subject<M>,
    message: MessageShape<M>,
    options?: { readonly messageId?: string },
  ): Promise<void>
  /** Live messages only. Undecodable payloads are counted and logged, never thrown. */
  subscribe<M extends DescMessage>(pattern: Subject<M>, on: OnMessage<M>): Cancel
  /**
   * The last value of each subject, then live ones, per subject never an older after a newer.
   * After a reconnect the last values come again: at least once, at most one per subject.
   */
  watchLatest<M extends DescMessage>(pattern: Subject<M>, on: OnMessage<M>): Cancel
  /** Works while disconnected too: then the bucket is made on connect and its calls fail. */
  openKv(bucket: Bucket): Promise<Kv>
}

/** One key of a bucket. */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** Grows with every change of the bucket. */
  readonly revision: number
}

/**
 * A bucket of bytes under keys (any text), changed by compare-and-set. A lost race is
 * `REVISION_CONFLICT`. After a timeout the entry is read once more: our value under a later
 * revision means that the change was made (so a value should name its writer). `BUS_UNAVAILABLE`
 * means that nobody knows: read again before trying again.
 */
export interface Kv {
  get(key: string): Promise<Omit<Entry, 'key'> | undefined>
  /** Resolves with the revision. The key may have been deleted or have expired before. */
  create(key: string, value: Uint8Array): Promise<number>
  update(key: string, value: Uint8Array, revision: number): Promise<number>
  /** Deletes whatever is there, or only the given revision. */
  delete(key: string, revision?: number): Promise<void>
  /** Entries whose key starts with `prefix`, in no order. */
  list(prefix?: string): Promise<Entry[]>
}
