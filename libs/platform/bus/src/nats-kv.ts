import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { Kvm, type KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { BerthError, messageOf } from '@berth/kernel'
import type { Bucket } from './bucket.ts'
import type { Entry, Kv } from './bus.ts'
import { decodeKey, encodeKey } from './kv-key.ts'
import type { Link } from './link.ts'
import { readLatest } from './read-latest.ts'

const timeoutOf = (bucket: Bucket) => bucket.timeoutMs ?? 2000

/** Makes the bucket when the server lacks it. */
export const ensureBucket = async (nc: NatsConnection, bucket: Bucket): Promise<void> => {
  const kvm = new Kvm(jetstream(nc, { timeout: timeoutOf(bucket) }))
  const ttl = bucket.ttlMs === undefined ? {} : { ttl: bucket.ttlMs }
  await kvm.create(bucket.name, { history: 1, allow_direct: false, ...ttl })
}

/** A `Kv` on whatever connection the link has when it is used. */
export const createNatsKv = (link: Link, bucket: Bucket): Kv => {
  const call = async <T>(what: string, use: (kv: KV, nc: NatsConnection) => Promise<T>) => {
    const nc = link.ready
    if (!nc) throw unavailable(bucket, what, 'not connected')
    try {
      const kvm = new Kvm(jetstream(nc, { timeout: timeoutOf(bucket) }))
      // Reads go to the leader of the bucket: another replica may be behind.
      return await use(await kvm.open(bucket.name, { allow_direct: false }), nc)
    } catch (error) {
      if (isConflict(error)) throw conflict(bucket, what, error)
      throw unavailable(bucket, what, messageOf(error), error)
    }
  }

  const get: Kv['get'] = (key) =>
    call('get', async (kv) => {
      const entry = await kv.get(encodeKey(key))
      return entry?.operation === 'PUT'
        ? { value: entry.value, revision: entry.revision }
        : undefined
    })

  /** Finds out what became of a change that got no answer. */
  const settle = async (key: string, value: Uint8Array, expected: number, error: unknown) => {
    if (!(error instanceof BerthError) || error.reason !== 'BUS_UNAVAILABLE') throw error
    const now = await get(key)
    const revision = now?.revision ?? 0
    if (now && revision > expected && Buffer.compare(now.value, value) === 0) return revision
    throw revision === expected ? error : conflict(bucket, 'change', error)
  }

  return {
    get,
    create: (key, value) =>
      call('create', (kv) => kv.create(encodeKey(key), value)).catch((error: unknown) =>
        settle(key, value, 0, error),
      ),
    update: (key, value, revision) =>
      call('update', (kv) => kv.update(encodeKey(key), value, revision)).catch((error: unknown) =>
        settle(key, value, revision, error),
      ),
    delete: (key, revision) =>
      call('delete', (kv) =>
        kv.delete(encodeKey(key), revision === undefined ? {} : { previousSeq: revision }),
      ),
    list: (prefix = '') =>
      call('list', async (_, nc) => {
        const entries = await readEntries(nc, bucket)
        return entries.filter(({ key }) => key.startsWith(prefix))
      }),
  }
}

const readEntries = async (nc: NatsConnection, bucket: Bucket): Promise<Entry[]> => {
  const root = `$KV.${bucket.name}.`
  const entries: Entry[] = []
  await readLatest(
    nc,
    { stream: `KV_${bucket.name}`, filter: `${root}>`, timeoutMs: timeoutOf(bucket) },
    (message) => {
      // Present on the markers of deleted keys only.
      if (message.headers?.has('KV-Operation')) return
      const key = decodeKey(message.subject.slice(root.length))
      entries.push({ key, value: message.data, revision: message.seq })
    },
  )
  return entries
}

const isConflict = (error: unknown) =>
  error instanceof JetStreamApiError &&
  (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
    error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown)

const conflict = (bucket: Bucket, what: string, cause: unknown) =>
  new BerthError('REVISION_CONFLICT', `${bucket.name}: ${what} lost the race. Read again.`, {
    cause,
  })

const unavailable = (bucket: Bucket, what: string, problem: string, cause?: unknown) =>
  new BerthError('BUS_UNAVAILABLE', `${bucket.name}: ${what} got no answer: ${problem}.`, {
    retryAfterMs: 1000,
    cause,
  })
