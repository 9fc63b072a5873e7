import { randomInt, seededRng, type Rng } from '@berth/kernel'
import { createSimClock, type SimClock } from '@berth/kernel/testing'
import { createMemoryServer, type MemoryServer } from '@berth/bus/testing'
import { createSimBooks, type SimBooks } from './sim-books.ts'
import { createSimNetwork, type SimNetwork } from './sim-network.ts'
import { createSimSockets, type SimSockets } from './sim-sockets.ts'
import { createTrace, type Trace } from './trace.ts'

/** What every process of a simulated fleet lives in. */
export interface SimWorld {
  readonly clock: SimClock
  readonly rng: Rng
  readonly network: SimNetwork
  readonly sockets: SimSockets
  readonly bus: MemoryServer
  readonly trace: Trace
  readonly books: SimBooks
  /** What must never be, and was. */
  readonly violations: string[]
  violate(what: string): void
  /** Messages of such subjects are lost, all of them. */
  losesSubject: (subject: string) => boolean
  /** Aborted when the run is over and judged: what killed processes still listen to may go. */
  readonly over: AbortController
  /** A generator of its own, so that one part's draws do not shift another's. */
  fork(): Rng
}

/** More than this many violations of one run say nothing new. */
const VIOLATIONS_KEPT = 20

export const createSimWorld = (seed: number): SimWorld => {
  // Budgets are by the day of UTC: no run crosses midnight, whatever its clocks do.
  const clock = createSimClock(Date.UTC(2026, 0, 1, 12))
  const rng = seededRng(seed)
  const fork = () => seededRng(randomInt(rng, 2 ** 32))
  const network = createSimNetwork({ clock, rng: fork() })
  const trace = createTrace(clock)
  const violations: string[] = []
  return {
    ...{ clock, rng, network, trace, violations, fork },
    over: new AbortController(),
    books: createSimBooks(),
    sockets: createSimSockets(network),
    bus: createMemoryServer({ clock }),
    losesSubject: () => false,
    violate: (what) => {
      trace.add('VIOLATION', what)
      if (violations.length < VIOLATIONS_KEPT) violations.push(`at ${clock.now()} ms: ${what}`)
    },
  }
}
