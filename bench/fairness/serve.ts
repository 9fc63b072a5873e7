import { DEFAULT_ADMISSION_POLICY } from '@berth/admission'
import { ask, completed, createRig, pool } from '@berth/orchestrator-core/testing'
import { DEFAULT_PLACEMENT_POLICY } from '@berth/placement'
import type { Arrival } from './arrivals.ts'

/** How tenants are told apart. */
export interface Way {
  /** False: everyone is the same tenant, so that the queue is a plain one. */
  readonly hasTenants: boolean
  readonly tenantWeights?: Readonly<Record<string, number>>
}

/** What one of the two got, after the warm-up. */
export interface Served {
  waitsMs: number[]
  tokens: number
  refused: number
  asked: number
}

export type Outcome = Readonly<Record<Arrival['who'], Served>>

/** Slots of the one pool, which writes 100 tokens a second in each. */
export const SLOTS = 8
const MS_PER_TOKEN = 10
const TICK_MS = 200
/** By then the queue is as full as it gets. */
const WARM_UP_MS = 60_000
const GATEWAY = 1

/** The real coordinator on a virtual clock: arrivals in, leases held for as long as they take. */
export const serve = async (arrivals: readonly Arrival[], way: Way): Promise<Outcome> => {
  const { tenantWeights = {} } = way
  const freshness = { staleMs: Infinity, offlineMs: Infinity }
  const rig = createRig({
    admission: { ...DEFAULT_ADMISSION_POLICY, tenantWeights },
    placement: { ...DEFAULT_PLACEMENT_POLICY, freshness },
  })
  const { clock, coordinator } = rig
  rig.joinHost('h1', [pool('p1', { slotsTotal: SLOTS })])
  rig.joinGateway(GATEWAY, 'gw-1')
  const outcome: Outcome = { modest: nothing(), greedy: nothing() }
  const waiting = new Map<string, Arrival>()
  const running = new Map<string, { readonly arrival: Arrival; readonly endMs: number }>()
  let [next, tickMs] = [0, TICK_MS]

  const hear = () => {
    for (const told of rig.take(GATEWAY)) {
      if (told.kind !== 'assigned' && told.kind !== 'rejected') continue
      const arrival = waiting.get(told.jobId)!
      waiting.delete(told.jobId)
      const { tokensOut, atMs, who } = arrival
      const isCounted = atMs >= WARM_UP_MS
      if (isCounted) outcome[who].asked += 1
      if (told.kind === 'rejected') {
        if (isCounted) outcome[who].refused += 1
        continue
      }
      if (isCounted) outcome[who].waitsMs.push(clock.now() - atMs)
      running.set(told.leaseId, { arrival, endMs: clock.now() + tokensOut * MS_PER_TOKEN })
    }
  }
  const come = (arrival: Arrival) => {
    const tenant = way.hasTenants ? arrival.who : 'everyone'
    waiting.set(`job-${next}`, arrival)
    coordinator.onAcquire(GATEWAY, ask(`job-${next}`, { tenant, maxTokens: 256 }))
  }
  const end = (leaseId: string, { who, tokensOut }: Arrival) => {
    running.delete(leaseId)
    if (clock.now() >= WARM_UP_MS) outcome[who].tokens += completed.tokensIn + tokensOut
    const decodeMs = tokensOut * MS_PER_TOKEN
    const result = { ...completed, tokensOut, firstTokenMs: MS_PER_TOKEN, decodeMs }
    coordinator.onRelease(GATEWAY, leaseId as Parameters<typeof coordinator.onRelease>[1], result)
  }

  for (let arrival = arrivals[0]; arrival; arrival = arrivals[next]) {
    const [leaseId, first] = soonest(running)
    const atMs = Math.min(arrival.atMs, first?.endMs ?? Infinity, tickMs)
    await clock.advance(Math.max(0, atMs - clock.now()))
    if (atMs === tickMs) {
      tickMs += TICK_MS
      coordinator.onTick()
    } else if (first && atMs === first.endMs) end(leaseId, first.arrival)
    else {
      come(arrival)
      next += 1
    }
    hear()
    rig.events.length = 0
  }
  return outcome
}

const nothing = (): Served => ({ waitsMs: [], tokens: 0, refused: 0, asked: 0 })

/** Of those that run, the one that is over first. There are no more than slots. */
const soonest = <T extends { readonly endMs: number }>(
  running: ReadonlyMap<string, T>,
): readonly [string, T | undefined] => {
  let [least, found] = ['', undefined as T | undefined]
  for (const [leaseId, lease] of running) {
    if (!found || lease.endMs < found.endMs) [least, found] = [leaseId, lease]
  }
  return [least, found]
}
