import type { Kv } from '@berth/bus'
import { BerthError, messageOf, type Cancel, type Clock } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'

const KEY = 'leader'

/** What the leader writes under its lease. */
interface LeaderRecord {
  readonly leaderId: string
  readonly address: string
  /** The revision of the write that won; absent in that write itself. */
  readonly term?: number
}

/** What became of the lease. */
export interface LeadershipEvents {
  onLeading(term: number): void
  onFollowing(term: number, address: string): void
}

export interface LeaderOptions {
  readonly kv: Kv
  readonly clock: Clock
  readonly log: RpcLog
  readonly coreId: string
  /** Where gateways reach this core. */
  readonly address: string
  /** Without a renewal for this long a lease is over. */
  readonly ttlMs: number
  /** Between renewals, and between a standby's looks. */
  readonly renewMs: number
  readonly events: LeadershipEvents
}

/** The leader lease of this core. */
export interface Leader extends AsyncDisposable {
  /** Somebody leads under a higher term: stop leading now. */
  resign(seenTerm: number): void
}

type Held = { readonly term: number; revision: number }

/**
 * Competes for the leader lease and keeps it. The term is the revision of the write that won:
 * later winners have higher ones, and higher than any term this core has seen. A leader that cannot reach the bus leads on under its term,
 * which everyone it commands checks; it stops when it sees another's lease or a higher term.
 * Disposing gives the lease back, so that a standby need not wait for its end.
 */
export const startLeader = (options: LeaderOptions): Leader => {
  const { kv, clock, log, events } = options
  let held: Held | undefined
  let watched = { revision: 0, sinceMs: 0 }
  let highestTerm = 0
  let isOver = false
  let cancelNext: Cancel = () => undefined

  const value = (term?: number) => {
    const { coreId: leaderId, address } = options
    const record: LeaderRecord = { leaderId, address, ...(term === undefined ? {} : { term }) }
    return new TextEncoder().encode(JSON.stringify(record))
  }
  const follow = (term: number, address: string) => {
    held = undefined
    highestTerm = Math.max(highestTerm, term)
    events.onFollowing(highestTerm, address)
  }
  const win = (revision: number) => {
    // A bus that lost its data begins low again; the fleet remembers the terms it has seen.
    const term = Math.max(revision, highestTerm + 1)
    held = { term, revision }
    highestTerm = term
    events.onLeading(term)
  }
  const renew = async (lease: Held) => {
    const revision = await kv.update(KEY, value(lease.term), lease.revision)
    lease.revision = revision
  }
  /** Reads the lease and takes it when nobody has it. */
  const compete = async () => {
    const entry = await kv.get(KEY)
    if (isOver) return
    if (!entry) return win(await kv.create(KEY, value()))
    const record = readRecord(entry.value)
    if (record?.leaderId === options.coreId) {
      // A write of ours whose answer was lost.
      if (held && record.term === held.term) held.revision = entry.revision
      else if (record.term === undefined) win(entry.revision)
      else await takeOver(entry.revision)
      return
    }
    if (entry.revision !== watched.revision) {
      watched = { revision: entry.revision, sinceMs: clock.now() }
    }
    // The bus ends leases by itself; one it forgot to end is taken by compare-and-set.
    if (clock.now() - watched.sinceMs > 1.5 * options.ttlMs) return takeOver(entry.revision)
    follow(record?.term ?? entry.revision, record?.address ?? '')
  }
  const takeOver = async (revision: number) => win(await kv.update(KEY, value(), revision))

  const round = async () => {
    try {
      if (held) await renew(held)
      else await compete()
    } catch (error) {
      if (BerthError.from(error).reason !== 'REVISION_CONFLICT') throw error
      // Somebody wrote: look who.
      await compete()
    }
  }
  let running: Promise<void> = Promise.resolve()
  const loop = () => {
    running = round()
      .catch((error: unknown) => log.debug({ detail: messageOf(error) }, 'leader lease unclear'))
      .then(() => {
        if (!isOver) cancelNext = clock.after(options.renewMs, loop)
      })
  }
  loop()
  return {
    resign: (seenTerm) => {
      if (!held || seenTerm <= held.term) return
      log.warn({ term: held.term, seenTerm }, 'resigned')
      follow(seenTerm, '')
    },
    [Symbol.asyncDispose]: async () => {
      isOver = true
      cancelNext()
      await running
      const lease = held
      if (!lease) return
      follow(lease.term, '')
      await kv.delete(KEY, lease.revision).catch((error: unknown) => {
        log.info({ detail: messageOf(error) }, 'leader lease left to expire')
      })
    },
  }
}

const readRecord = (bytes: Uint8Array): LeaderRecord | undefined => {
  try {
    const record = JSON.parse(new TextDecoder().decode(bytes)) as LeaderRecord
    return typeof record.leaderId === 'string' ? record : undefined
  } catch {
    // Nobody of ours wrote this: it counts as a lease of an unknown, which ends like any other.
    return undefined
  }
}
