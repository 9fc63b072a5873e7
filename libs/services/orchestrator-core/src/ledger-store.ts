import type { Kv } from '@berth/bus'
import { BerthError, messageOf, sleep, type Clock } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import type { LedgerBucket, LedgerEntry, LedgerOutcome, LedgerWrite } from './ledger-port.ts'

/** Between tries to read the ledger, in milliseconds. */
const READ_AGAIN_MS = 500
/** Writes under way at once. */
const LANES = 32

/** Where the ledger outlives its leader. */
export interface LedgerStore extends AsyncDisposable {
  /** Reads everything, for as long as it takes; a later call takes the place of an earlier. */
  load(term: number): void
  /** Makes changes. The round is told what became of each. */
  save(round: number, writes: readonly LedgerWrite[]): void
}

export interface LedgerStoreOptions {
  readonly kvs: Readonly<Record<LedgerBucket, Kv>>
  readonly clock: Clock
  readonly log: RpcLog
  onLoaded(term: number, entries: readonly LedgerEntry[]): void
  onSaved(round: number, outcomes: readonly LedgerOutcome[]): void
}

/** The ledger in two buckets, one key for each account. */
export const createLedgerStore = (options: LedgerStoreOptions): LedgerStore => {
  const { kvs, clock, log } = options
  const closing = new AbortController()
  let reading = new AbortController()
  const running = new Set<Promise<void>>()
  const track = (work: Promise<void>) => {
    const tracked = work.finally(() => running.delete(tracked))
    running.add(tracked)
  }
  const readUntil = async (signal: AbortSignal): Promise<LedgerEntry[] | undefined> => {
    while (!signal.aborted) {
      try {
        return [...(await listBucket(kvs, 'budgets')), ...(await listBucket(kvs, 'sessions'))]
      } catch (error) {
        log.warn({ detail: messageOf(error) }, 'ledger cannot be read')
        // Aborted means that nobody waits for it any more, which the loop sees by itself.
        await sleep(clock, READ_AGAIN_MS, signal).catch(() => undefined)
      }
    }
    return undefined
  }
  return {
    load: (term) => {
      reading.abort()
      reading = new AbortController()
      const signal = AbortSignal.any([reading.signal, closing.signal])
      const tell = (entries: readonly LedgerEntry[] | undefined) => {
        if (!entries || signal.aborted) return
        log.info({ term, entries: entries.length }, 'ledger is read')
        options.onLoaded(term, entries)
      }
      track(readUntil(signal).then(tell))
    },
    save: (round, writes) => {
      const saved = writeAll(kvs, writes, closing.signal)
      track(saved.then((outcomes) => options.onSaved(round, outcomes)))
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await Promise.all(running)
    },
  }
}

const listBucket = async (
  kvs: LedgerStoreOptions['kvs'],
  bucket: LedgerBucket,
): Promise<LedgerEntry[]> => (await kvs[bucket].list()).map((entry) => ({ bucket, ...entry }))

/** A store that stops answering is not asked for the rest. */
const writeAll = async (
  kvs: LedgerStoreOptions['kvs'],
  writes: readonly LedgerWrite[],
  closing: AbortSignal,
): Promise<LedgerOutcome[]> => {
  const outcomes: LedgerOutcome[] = writes.map(() => ({ kind: 'unavailable' }))
  let next = 0
  let isDown = false
  const lane = async () => {
    while (next < writes.length && !isDown && !closing.aborted) {
      const index = next++
      const outcome = await write(kvs[writes[index]!.bucket], writes[index]!)
      outcomes[index] = outcome
      if (outcome.kind === 'unavailable') isDown = true
    }
  }
  await Promise.all(Array.from({ length: Math.min(LANES, writes.length) }, lane))
  return outcomes
}

const write = async (kv: Kv, change: LedgerWrite): Promise<LedgerOutcome> => {
  try {
    return { kind: 'stored', revision: await apply(kv, change) }
  } catch (error) {
    if (BerthError.from(error).reason !== 'REVISION_CONFLICT') return { kind: 'unavailable' }
  }
  const { bucket, key } = change
  try {
    const entry = await kv.get(key)
    return { kind: 'conflict', found: entry && { bucket, key, ...entry } }
  } catch {
    // Lost the race, and nobody can say to whom: the round tries again.
    return { kind: 'unavailable' }
  }
}

const apply = async (kv: Kv, { key, value, revision }: LedgerWrite): Promise<number> => {
  if (value === undefined) {
    await kv.delete(key, revision)
    return 0
  }
  return revision === 0 ? kv.create(key, value) : kv.update(key, value, revision)
}
