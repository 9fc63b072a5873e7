import { messageOf, type Cancel } from '@berth/kernel'
import {
  enterContest,
  giveBack,
  leaveContest,
  pauseMs,
  playRound,
  resign,
  type LeaderOptions,
} from './leader-contest.ts'

/** The leader lease of this core. */
export interface Leader extends AsyncDisposable {
  /** Somebody leads under a higher term: stop leading now. */
  resign(seenTerm: number): void
}

/**
 * Competes for the leader lease and keeps it. The term is taken once the lease is won: at least the
 * revision of the write that won, and above any that this core has seen or anyone took. A leader
 * that cannot reach the bus leads on under its term, which everyone it commands checks; it stops
 * when it sees another's lease or a higher term.
 * Disposing gives the lease back, so that a standby need not wait for its end.
 */
export const startLeader = (options: LeaderOptions): Leader => {
  const { clock, log } = options
  const contest = enterContest(options)
  let isOver = false
  let cancelNext: Cancel = () => undefined
  let running: Promise<void> = Promise.resolve()
  const loop = () => {
    running = playRound(contest)
      .then(
        () => pauseMs(contest),
        (error: unknown) => {
          log.debug({ detail: messageOf(error) }, 'leader lease unclear')
          return options.renewMs
        },
      )
      .then((ms) => {
        if (!isOver) cancelNext = clock.after(ms, loop)
      })
  }
  loop()
  return {
    resign: (seenTerm) => {
      if (resign(contest, seenTerm)) log.warn({ seenTerm }, 'resigned')
    },
    [Symbol.asyncDispose]: async () => {
      isOver = true
      cancelNext()
      leaveContest(contest)
      await running
      await giveBack(contest).catch((error: unknown) => {
        log.info({ detail: messageOf(error) }, 'leader lease left to expire')
      })
    },
  }
}
