import type { CreateRouter } from '../router.ts'
import { countOutstanding, weigh, type Weighting } from './blind.ts'

/**
 * A conversation stays where it began; a new one begins where the fewest requests are under way.
 * As cookies or `x-session-id` in most gateways. `moveAbove`: a conversation moves when its replica
 * has this many times the average under way.
 */
export const sessionSticky =
  (weighting: Weighting, moveAbove: number): CreateRouter =>
  (world) => {
    const weights = weigh(world, weighting)
    const outstanding = countOutstanding(world)
    const homes = new Map<number, number>()
    const loadOf = (replica: number) => outstanding.of(replica) / weights[replica]!
    return {
      arrive: (job) => {
        const session = world.trace.session[job]!
        const home = homes.get(session)
        const mean = (outstanding.total() + 1) / weights.length
        if (home !== undefined && loadOf(home) <= mean * moveAbove) {
          return outstanding.send(job, home)
        }
        let best = 0
        for (let index = 1; index < weights.length; index++) {
          if (loadOf(index) < loadOf(best)) best = index
        }
        homes.set(session, best)
        outstanding.send(job, best)
      },
      complete: ({ replica }) => outstanding.end(replica),
    }
  }
