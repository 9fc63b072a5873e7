import type { Kv } from '@berth/bus'
import { BerthError, type Clock } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import { claimTerm } from './claim-term.ts'

const KEY = 'leader'

/** What the leader writes under its lease. */
interface LeaderRecord {
  readonly leaderId: string
  readonly address: string
  /** Absent in the write that won: the term is taken after it. */
  readonly term?: number
}

/** What became of the lease. */
export interface LeadershipEvents {
  onLeading(term: number): void
  onFollowing(term: number, address: string): void
}

export interface LeaderOptions {
  /** Holds the lease; its entries end by themselves. */
  readonly kv: Kv
  /** Holds the highest term, for ever. */
  readonly terms: Kv
  readonly clock: Clock
  readonly log: RpcLog
  readonly coreId: string
  /** Where gateways reach this core. */
  readonly address: string
  /** Without a renewal for this long a lease is over. */
  readonly ttlMs: number
  /** Between renewals, and between the looks of a standby that sees them. */
  readonly renewMs: number
  readonly events: LeadershipEvents
}

/** One core's part in the contest for the lease. */
export interface Contest {
  readonly options: LeaderOptions
  held: { readonly term: number; revision: number } | undefined
  /** Another's lease, and since when it has not been renewed. */
  watched: { readonly revision: number; readonly sinceMs: number }
  highestTerm: number
  isOver: boolean
}

/** A core that has not looked yet. */
export const enterContest = (options: LeaderOptions): Contest => ({
  options,
  held: undefined,
  watched: { revision: 0, sinceMs: 0 },
  highestTerm: 0,
  isOver: false,
})

/** Renews the lease, or competes for it. Rejects when the bus does not answer. */
export const playRound = async (contest: Contest): Promise<void> => {
  try {
    if (contest.held) await renew(contest, contest.held)
    else await compete(contest)
  } catch (error) {
    if (BerthError.from(error).reason !== 'REVISION_CONFLICT') throw error
    // Somebody wrote: look who.
    await compete(contest)
  }
}

/**
 * Milliseconds until the next round. A standby that misses a renewal looks often: what it waits
 * for is the end of the lease.
 */
export const pauseMs = ({ held, watched, options }: Contest): number => {
  const { clock, renewMs } = options
  const isLate = !held && clock.now() - watched.sinceMs > 1.5 * renewMs
  return isLate ? renewMs / 5 : renewMs
}

/** Stops leading. False when this core does not lead, or under a term as high. */
export const resign = (contest: Contest, seenTerm: number): boolean => {
  if (!contest.held || seenTerm <= contest.held.term) return false
  follow(contest, seenTerm, '')
  return true
}

/** Takes no lease any more. */
export const leaveContest = (contest: Contest): void => {
  contest.isOver = true
}

/** Ends a lease that is held, so that a standby need not wait for its end. */
export const giveBack = async (contest: Contest): Promise<void> => {
  const lease = contest.held
  if (!lease) return
  follow(contest, lease.term, '')
  await contest.options.kv.delete(KEY, lease.revision)
}

const renew = async (contest: Contest, lease: NonNullable<Contest['held']>) => {
  const { kv } = contest.options
  lease.revision = await kv.update(KEY, write(contest, lease.term), lease.revision)
}

/** Reads the lease and takes it when nobody has it. */
const compete = async (contest: Contest) => {
  const { kv, clock, coreId, ttlMs } = contest.options
  const entry = await kv.get(KEY)
  if (contest.isOver) return
  if (!entry) return win(contest, await kv.create(KEY, write(contest)))
  const record = readRecord(entry.value)
  if (record?.leaderId === coreId) return readOwn(contest, record, entry.revision)
  if (entry.revision !== contest.watched.revision) {
    contest.watched = { revision: entry.revision, sinceMs: clock.now() }
  }
  // The bus ends leases by itself; one it forgot to end is taken by compare-and-set.
  if (clock.now() - contest.watched.sinceMs > ttlMs) return takeOver(contest, entry.revision)
  follow(contest, record?.term ?? entry.revision, record?.address ?? '')
}

/** A write of ours whose answer was lost, or a lease we resigned from. */
const readOwn = async (contest: Contest, record: LeaderRecord, revision: number) => {
  const { held } = contest
  if (held && record.term === held.term) held.revision = revision
  else if (record.term === undefined) await win(contest, revision)
  else await takeOver(contest, revision)
}

const takeOver = async (contest: Contest, revision: number) =>
  win(contest, await contest.options.kv.update(KEY, write(contest), revision))

/** Takes a term, and confirms the lease: whoever took that meanwhile has the higher term. */
const win = async (contest: Contest, revision: number) => {
  const { kv, terms, coreId, events } = contest.options
  // A bus that lost its data begins low again; the fleet remembers the terms it has seen.
  const term = await claimTerm(terms, Math.max(revision, contest.highestTerm + 1), coreId)
  const confirmed = await kv.update(KEY, write(contest, term), revision)
  contest.held = { term, revision: confirmed }
  contest.highestTerm = term
  // One that ends meanwhile gives the lease back.
  if (!contest.isOver) events.onLeading(term)
}

const follow = (contest: Contest, term: number, address: string) => {
  contest.held = undefined
  contest.highestTerm = Math.max(contest.highestTerm, term)
  contest.options.events.onFollowing(contest.highestTerm, address)
}

const write = ({ options }: Contest, term?: number): Uint8Array => {
  const { coreId: leaderId, address } = options
  const record: LeaderRecord = { leaderId, address, ...(term === undefined ? {} : { term }) }
  return new TextEncoder().encode(JSON.stringify(record))
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
