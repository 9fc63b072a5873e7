import { DEFAULT_POLICY, type SupervisionPolicy } from '../policy.ts'
import { step } from '../step.ts'
import { newSupervised, type Supervised } from '../supervised.ts'
import type { SupervisionEvent } from '../supervision-event.ts'
import { addressOf, CRASH, createDrive, own } from './sample-events.ts'
import { tellStep } from './tell-step.ts'

const exited = { kind: 'exited', report: CRASH } as const
const BAD_FLAG = { kind: 'bad_option', message: 'Unknown flag.', isRetriable: false } as const

/** As `createDrive` has it. */
const OFTEN = { idleProbeIntervalMs: 5_000 }

/** A pool in each of its states, since 0; the events happen at 10 s. */
export const poolsInStates = (policy: Partial<SupervisionPolicy> = {}) => {
  const { drive, ready, missed, launched } = createDrive(policy)
  const start = { kind: 'start' } as const
  const from = (...events: readonly object[]): Supervised =>
    drive(ready().pool, events as SupervisionEvent[], 0).pool
  const drainTo = (kind: 'stop' | 'restart') => ({ kind, drainMs: 5_000 })
  const hold = { kind: 'drain', deadlineMs: 5_000, onDeadline: 'force' }
  const reload = { kind: 'reload', model: 'b', deadlineMs: 5_000, onDeadline: 'force' }
  return {
    stopped: newSupervised(0),
    preparing: drive(newSupervised(0), [start]).pool,
    starting: drive(newSupervised(0), [start, launched]).pool,
    loading: drive(newSupervised(0), [start, launched, own({ kind: 'output' })]).pool,
    ready: ready().pool,
    shaky: from(missed, missed),
    held: from(hold),
    'drained to stop': from(drainTo('stop')),
    'drained to restart': from(drainTo('restart')),
    'drained to reload': from(reload),
    stopping: from({ kind: 'stop', drainMs: 0 }),
    restarting: from({ kind: 'restart', drainMs: 0 }),
    crashed: from(exited),
    backoff: from(exited, own({ kind: 'gone' })),
    failed: from({ kind: 'exited', report: BAD_FLAG }, own({ kind: 'gone' })),
  } satisfies Record<string, Supervised>
}

/**
 * What an event does to a pool in each of these states, those with the same outcome together;
 * states in which it does nothing are not named. `first` happens before it, and is not told.
 */
export const tellEverywhere = (
  event: object,
  policy: Partial<SupervisionPolicy> = {},
  { now = 10_000, first }: { readonly now?: number; readonly first?: object } = {},
): string => {
  const rng = { float: () => 0.5, bytes: (count: number) => new Uint8Array(count).fill(9) }
  const context = { now, rng, policy: { ...DEFAULT_POLICY, ...OFTEN, ...policy }, poolId: 'a' }
  const outcomes = new Map<string, string[]>()
  const of = (pool: Supervised, what: object) =>
    ({ ...addressOf(pool), ...what }) as SupervisionEvent
  for (const [name, before] of Object.entries(poolsInStates(policy))) {
    const pool = first === undefined ? before : step(before, of(before, first), context).pool
    const whole = of(pool, event)
    const told = tellStep(pool, step(pool, whole, context), now)
    if (told.trim() !== '-') outcomes.set(told, [...(outcomes.get(told) ?? []), name])
  }
  return [...outcomes].map(([told, names]) => `${names.join(', ')}:\n${told}`).join('\n')
}

/** A text of a spec without the indentation it has there. */
export const plain = (text: string): string => {
  const lines = text.replace(/^\n/, '').trimEnd().split('\n')
  const margin = /^ */.exec(lines[0] ?? '')?.[0].length ?? 0
  return lines.map((line) => line.slice(margin)).join('\n')
}
