import type { ServerFrame, Hello, Welcome } from '@berth/contract'
import { sleep, type Clock, type Rng } from '@berth/kernel'
import { runLink, type Link, type LinkEnd } from './session-link.ts'

/** A leader's address is followed this often before the static list is tried again. */
const MAX_FOLLOWS = 3
const BACKOFF_MIN_MS = 50
/** A new leader is there in 2 to 3 s; every request waits for it to be found as well. */
const BACKOFF_MAX_MS = 250
/** A core that did not answer is passed over for this long while there are others to ask. */
const AVOID_MS = 1_000

export interface KeepSessionOptions {
  readonly addresses: readonly string[]
  openLink(address: string): Link
  /** What this gateway is and holds, asked anew for each session. */
  hello(): Hello
  onUp(link: Link, address: string, welcome: Welcome): void
  onFrame(frame: ServerFrame): void
  /** The session that was up has ended. */
  onDown(why: string): void
  /** A core that does not lead knows this term. */
  onTerm(term: bigint): void
  /** A try ended without a welcome. */
  onMiss(address: string, why: string): void
  readonly clock: Clock
  readonly rng: Rng
  readonly signal: AbortSignal
}

/** Keeps one session open, for ever: round the addresses, after the leader, with backoff. */
export const keepSession = async (options: KeepSessionOptions): Promise<void> => {
  const { signal, clock, rng } = options
  const round = createRound(options)
  let failures = 0
  let follows = 0
  let leader = ''
  while (!signal.aborted) {
    const address = leader !== '' ? leader : round.next()
    const end = await tryOnce(options, address)
    if (end.kind === 'closed') return
    if (end.wasUp) [failures, follows] = [0, 0]
    else if (end.kind === 'broken') round.miss(address)
    // Somebody answers: the next leader is a matter of moments.
    if (end.kind === 'not_leader') failures = 0
    leader = end.kind === 'not_leader' && follows < MAX_FOLLOWS ? end.address : ''
    if (round.isAvoided(leader)) leader = ''
    if (leader !== '') {
      follows += 1
      continue
    }
    follows = 0
    const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10))
    failures += 1
    // Aborted means closed, which the loop sees by itself.
    await sleep(clock, pauseMs * (0.8 + 0.4 * rng.float()), signal).catch(() => undefined)
  }
}

/** The static list, one after the other, without the one that was just found absent. */
const createRound = ({ addresses, clock }: KeepSessionOptions) => {
  let turn = 0
  let missed = { address: '', atMs: 0 }
  const isAvoided = (address: string) =>
    addresses.length > 1 && address === missed.address && clock.now() - missed.atMs < AVOID_MS
  return {
    isAvoided,
    miss: (address: string) => {
      missed = { address, atMs: clock.now() }
    },
    next: (): string => {
      const address = addresses[turn++ % addresses.length]!
      return isAvoided(address) ? addresses[turn++ % addresses.length]! : address
    },
  }
}

const tryOnce = async (options: KeepSessionOptions, address: string): Promise<LinkEnd> => {
  const link = options.openLink(address)
  const end = await runLink({
    link,
    hello: options.hello(),
    clock: options.clock,
    signal: options.signal,
    onUp: (welcome) => options.onUp(link, address, welcome),
    onFrame: options.onFrame,
  })
  if (end.kind === 'closed') return end
  if (end.kind === 'not_leader') options.onTerm(end.term)
  const why = end.kind === 'broken' ? end.why : 'not the leader'
  if (end.wasUp) options.onDown(why)
  else options.onMiss(address, why)
  return end
}
