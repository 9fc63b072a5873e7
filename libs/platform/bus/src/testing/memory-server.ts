import { BerthError, type Clock } from '@berth/kernel'
import type { Bucket } from '../bucket.ts'
import type { Entry } from '../bus.ts'
import { streamOf, type StreamSpec } from '../streams.ts'
import { subjectCovers } from '../subjects.ts'
import type { Receive } from '../receiver.ts'
import type { Payload } from '../wire.ts'

/** What several memory buses share: subscriptions, last values, buckets. */
export interface MemoryServer {
  readonly clock: Clock
  /** Delivers to every subscriber, in a later microtask, and stores what a stream stores. */
  publish(subject: string, payload: Payload, messageId?: string): void
  subscribe(pattern: string, receive: Receive): () => void
  /** The last value of each stored subject that has not expired. */
  latest(pattern: string): [subject: string, payload: Payload][]
  bucket(bucket: Bucket): MemoryBucket
}

/** The compare-and-set core of a bucket. `expected` 0 means that there must be none. */
export interface MemoryBucket {
  entries(): Entry[]
  /** Throws `REVISION_CONFLICT`. `value` undefined deletes. */
  change(key: string, value: Uint8Array | undefined, expected: number | undefined): number
}

interface Stored {
  readonly payload: Payload
  readonly storedAtMs: number
  readonly stream: StreamSpec
}

/** Message ids remembered, as a NATS stream does for two minutes. */
const MESSAGE_IDS_MAX = 10_000

/** An empty server. Last values and entries age on `clock`. */
export const createMemoryServer = ({ clock }: { readonly clock: Clock }): MemoryServer => {
  const subscriptions = new Set<{ readonly pattern: string; readonly receive: Receive }>()
  const stored = new Map<string, Stored>()
  const buckets = new Map<string, MemoryBucket>()
  const messageIds = new Set<string>()

  const isRepeat = (messageId: string | undefined): boolean => {
    if (messageId === undefined) return false
    if (messageIds.has(messageId)) return true
    messageIds.add(messageId)
    if (messageIds.size > MESSAGE_IDS_MAX) messageIds.delete([...messageIds][0] as string)
    return false
  }

  return {
    clock,
    publish: (subject, payload, messageId) => {
      const stream = streamOf(subject)
      if (stream && !isRepeat(messageId))
        stored.set(subject, { payload, storedAtMs: clock.now(), stream })
      for (const subscription of subscriptions) {
        if (!subjectCovers(subscription.pattern, subject)) continue
        queueMicrotask(() => {
          if (subscriptions.has(subscription)) subscription.receive(subject, payload)
        })
      }
    },
    subscribe: (pattern, receive) => {
      const subscription = { pattern, receive }
      subscriptions.add(subscription)
      return () => {
        subscriptions.delete(subscription)
      }
    },
    latest: (pattern) => {
      for (const [subject, { storedAtMs, stream }] of stored)
        if (clock.now() - storedAtMs >= stream.maxAgeMs) stored.delete(subject)
      return [...stored]
        .filter(([subject]) => subjectCovers(pattern, subject))
        .map(([subject, { payload }]) => [subject, payload])
    },
    bucket: (bucket) => {
      const existing = buckets.get(bucket.name) ?? createMemoryBucket(bucket, clock)
      buckets.set(bucket.name, existing)
      return existing
    },
  }
}

const createMemoryBucket = ({ name, ttlMs }: Bucket, clock: Clock): MemoryBucket => {
  const entryOf = new Map<string, Entry & { readonly writtenAtMs: number }>()
  let revision = 0
  const expire = () => {
    for (const [key, { writtenAtMs }] of entryOf)
      if (ttlMs !== undefined && clock.now() - writtenAtMs >= ttlMs) entryOf.delete(key)
  }
  return {
    entries: () => {
      expire()
      return [...entryOf.values()].map(({ key, value, revision: at }) => ({
        key,
        value: value.slice(),
        revision: at,
      }))
    },
    change: (key, value, expected) => {
      expire()
      if (expected !== undefined && (entryOf.get(key)?.revision ?? 0) !== expected)
        throw new BerthError('REVISION_CONFLICT', `${name}: change lost the race. Read again.`)
      revision += 1
      if (value === undefined) entryOf.delete(key)
      else entryOf.set(key, { key, value: value.slice(), revision, writtenAtMs: clock.now() })
      return revision
    },
  }
}
