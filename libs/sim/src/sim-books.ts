import { LeaseOutcome } from '@berth/contract'
import type { ReleaseReport, Session } from '@berth/orchestratord'
import type { SimProcess } from './sim-process.ts'

/** What keys really used, as the gateways saw it: what the ledger of core must come to. */
export interface SimBooks {
  /** The session of one life of a gateway, whose releases are noted. */
  watch(session: Session, process: SimProcess): Session
  /** Tokens of a key: by lives that still run, and by all. What an ended life had not told is lost. */
  usedBy(keyId: string): { readonly living: number; readonly all: number }
  /**
   * A leader granted on while it could not store who its gateways are: the next one may let others
   * spend what those had set aside. Requests go before budgets then.
   */
  isBlind: boolean
}

/** The keys of simulated clients, and what each may use a day. */
export const SIM_KEYS: Readonly<Record<string, { readonly tokensPerDay: number }>> = {
  poor: { tokensPerDay: 150 },
  rich: { tokensPerDay: 1_000_000 },
}

/** Books nobody has written in. */
export const createSimBooks = (): SimBooks => {
  const lives: { readonly process: SimProcess; readonly used: Map<string, number> }[] = []
  return {
    isBlind: false,
    watch: (session, process) => {
      const used = new Map<string, number>()
      const keyOf = new Map<string, string>()
      lives.push({ process, used })
      return {
        get state() {
          return session.state
        },
        acquire: async (request) => {
          const answer = await session.acquire(request)
          if (answer.kind === 'assigned') keyOf.set(answer.grant.leaseId, request.job.keyId ?? '')
          return answer
        },
        release: (leaseId, report) => {
          const keyId = keyOf.get(leaseId) ?? ''
          keyOf.delete(leaseId)
          // Code of a killed process runs on in a simulation; it tells nobody.
          if (process.isAlive) used.set(keyId, (used.get(keyId) ?? 0) + tokensOf(report))
          session.release(leaseId, report)
        },
        outdated: (leaseId) => session.outdated(leaseId),
      }
    },
    usedBy: (keyId) => {
      const sum = (of: typeof lives) =>
        of.reduce((all, { used }) => all + (used.get(keyId) ?? 0), 0)
      return { living: sum(lives.filter(({ process }) => process.isAlive)), all: sum(lives) }
    },
  }
}

const CHARGED: ReadonlySet<LeaseOutcome> = new Set([
  LeaseOutcome.COMPLETED,
  LeaseOutcome.ENGINE_ERROR,
  LeaseOutcome.CLIENT_GONE,
  LeaseOutcome.BROKEN,
])

const tokensOf = ({ outcome, tokensIn, tokensOut }: ReleaseReport): number =>
  CHARGED.has(outcome) ? tokensIn + tokensOut : 0
