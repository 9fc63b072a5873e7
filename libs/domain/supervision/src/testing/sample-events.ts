import { seededRng } from '@berth/kernel'
import type { CrashReport } from '../driver.ts'
import type { Step } from '../move.ts'
import { DEFAULT_POLICY, type SupervisionPolicy } from '../policy.ts'
import { instanceOf } from '../pool-state.ts'
import { step } from '../step.ts'
import { newSupervised, type Supervised } from '../supervised.ts'
import type { SupervisionEvent } from '../supervision-event.ts'

export const CRASH: CrashReport = {
  kind: 'signal',
  message: 'It was ended by SIGSEGV.',
  isRetriable: true,
}

/** A pool under test and the effects its last event asked for. */
export interface Driven extends Step {
  readonly now: number
}

/** An event of the pool's instance, whichever that is. */
type Own<Kind extends SupervisionEvent['kind']> = Omit<
  Extract<SupervisionEvent, { kind: Kind }>,
  'instanceId'
>

/** Steps a pool through events; each may name the time it comes at. */
export const createDrive = (policy: Partial<SupervisionPolicy> = {}) => {
  const rng = seededRng(1)
  // Told the same whether something runs on it or not, unless a spec is about that.
  const all = { ...DEFAULT_POLICY, idleProbeIntervalMs: 5_000, ...policy }
  const drive = (
    pool: Supervised,
    events: readonly (SupervisionEvent | Own<'exited'> | Own<'probed'> | Own<'launched'>)[],
    now = pool.since,
  ): Driven => {
    let last: Step = { pool, effects: [] }
    for (const event of events) {
      const whole = { ...addressOf(last.pool), ...event } as SupervisionEvent
      last = step(last.pool, whole, { now, rng, policy: all, poolId: 'a' })
    }
    return { ...last, now }
  }
  const healthy = {
    kind: 'probed',
    result: { verdict: 'healthy' },
    isListening: true,
    isIdle: true,
  } as const
  const missed = {
    kind: 'probed',
    result: { verdict: 'unhealthy', fact: '/health answered 503' },
    isListening: true,
    isIdle: true,
  } as const
  const launched = { kind: 'launched' } as const
  const ready = (now = 0) => drive(newSupervised(now), [{ kind: 'start' }, launched, healthy], now)
  return { drive, ready, healthy, missed, launched: launched as SupervisionEvent }
}

/** Names the instance of a pool, as what it says does. */
export const addressOf = ({ state }: Supervised): { readonly instanceId?: string } => {
  const instanceId = instanceOf(state)
  return instanceId === undefined ? {} : { instanceId }
}

export const own = (event: { readonly kind: 'gone' | 'idle' | 'output' }) =>
  event as SupervisionEvent
