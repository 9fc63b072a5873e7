import { createHeap, type Heap } from './heap.ts'
import { createLine, insert, remove, type Line } from './line.ts'
import { compareAge, type WaitingJob } from './waiting-job.ts'

/** The jobs of one tenant that wait, and what it was served. */
export interface TenantLine<Payload> extends Line<Payload> {
  readonly tenant: string
  /** Served tokens divided by the tenant's weight: whoever has the least is next. */
  counter: number
  /** The part of `counter` that its running jobs only claim to take, see `Price`. */
  claimed: number
  /** Jobs of it that were dispatched and are not over. */
  running: number
  /** What the jobs of it that wait will be charged together, in tokens. */
  costTokens: number
}

/** What a dispatched job is charged, until it is over and what it took is known. */
export interface Price {
  readonly amount: number
  /**
   * As much of it as nobody has to believe. Newcomers are not lifted to it: the job may give it
   * back, and would leave them behind everyone by all of it.
   */
  readonly claimed: number
}

/**
 * The lines of one class of a model, one for each tenant, with a virtual token counter each
 * (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024, algorithm 2).
 */
export interface FairLines<Payload> {
  /** Tenants that wait, run, or have been served more than those who wait. */
  readonly tenants: Map<string, TenantLine<Payload>>
  /** Tenants that wait, whoever is to be served next first. */
  readonly next: Heap<TenantLine<Payload>>
  /** Tenants that wait, whoever waits longest first. */
  readonly oldest: Heap<TenantLine<Payload>>
  /** Jobs that wait. */
  length: number
  /** The tenant that was served last: newcomers start beside it when nobody waits. */
  served: TenantLine<Payload> | undefined
  /** Tenants after which idle ones are looked through. */
  sweepAt: number
}

/** Tenants that owe something are remembered up to this number while they neither wait nor run. */
const IDLE_MAX = 1_024

/** Lines nobody stands in. */
export const createFairLines = <Payload>(): FairLines<Payload> => ({
  tenants: new Map(),
  next: createHeap<TenantLine<Payload>>(compareTurn),
  oldest: createHeap<TenantLine<Payload>>((a, b) => compareAge(a.first!, b.first!)),
  length: 0,
  served: undefined,
  sweepAt: IDLE_MAX,
})

/** Below 0 when the first job of `a` is to be served before that of `b`. */
export const compareTurn = (a: TenantLine<unknown>, b: TenantLine<unknown>): number =>
  a.counter - b.counter || compareAge(a.first!, b.first!)

/** Puts a job into the line of its tenant. O(log tenants). */
export const put = <Payload>(lines: FairLines<Payload>, job: WaitingJob<Payload>): void => {
  const line = enter(lines, job.tenant)
  insert(line, job)
  line.costTokens += job.costTokens
  lines.length += 1
  if (line.first === job) keepOrder(lines, line)
}

/** Takes a job out of the line of its tenant. O(log tenants). */
export const take = <Payload>(lines: FairLines<Payload>, job: WaitingJob<Payload>): void => {
  const line = lines.tenants.get(job.tenant)!
  const wasFirst = line.first === job
  remove(line, job)
  line.costTokens -= job.costTokens
  lines.length -= 1
  if (line.length === 0) {
    lines.next.drop(line)
    lines.oldest.drop(line)
    forgetIdle(lines, line)
  } else if (wasFirst) keepOrder(lines, line)
}

/** Charges a tenant whose job is dispatched. Its line is known from then on until `settle`. */
export const charge = <Payload>(
  lines: FairLines<Payload>,
  tenant: string,
  { amount, claimed }: Price,
): TenantLine<Payload> => {
  const line = enter(lines, tenant)
  line.running += 1
  line.claimed += claimed
  lines.served = line
  addTo(lines, line, amount)
  return line
}

/** Corrects the price of a dispatched job when it is over. Once for each `charge`. */
export const settle = <Payload>(
  lines: FairLines<Payload>,
  line: TenantLine<Payload>,
  { claimed }: Price,
  correction: number,
): void => {
  line.running -= 1
  // The rest of a sum of fractions is no claim of anybody.
  line.claimed = line.running === 0 ? 0 : line.claimed - claimed
  addTo(lines, line, correction)
  forgetIdle(lines, line)
}

/**
 * The line of a tenant. One that did not wait is lifted to those who do: nobody saves up turns
 * while idle.
 */
const enter = <Payload>(lines: FairLines<Payload>, tenant: string): TenantLine<Payload> => {
  const line = lines.tenants.get(tenant) ?? addTenant(lines, tenant)
  if (line.length === 0) line.counter = Math.max(line.counter, floorOf(lines))
  return line
}

const addTenant = <Payload>(lines: FairLines<Payload>, tenant: string): TenantLine<Payload> => {
  if (lines.tenants.size >= lines.sweepAt) sweep(lines)
  const line = { ...createLine<Payload>(), tenant, ...NOT_SERVED, costTokens: 0 }
  lines.tenants.set(tenant, line)
  return line
}

const NOT_SERVED = { counter: 0, claimed: 0, running: 0 }

/** The least that a tenant that waits was served for sure; the one served last when none does. */
const floorOf = ({ next, served }: FairLines<unknown>): number => {
  if (!next.first) return served ? surely(served) : 0
  let floor = Infinity
  for (const line of next.items) floor = Math.min(floor, surely(line))
  return floor
}

const surely = ({ counter, claimed }: TenantLine<unknown>): number => counter - claimed

const addTo = <Payload>(
  lines: FairLines<Payload>,
  line: TenantLine<Payload>,
  amount: number,
): void => {
  line.counter += amount
  if (line.length > 0) lines.next.put(line)
}

const keepOrder = <Payload>(lines: FairLines<Payload>, line: TenantLine<Payload>): void => {
  lines.next.put(line)
  lines.oldest.put(line)
}

const isIdle = (line: TenantLine<unknown>): boolean => line.length === 0 && line.running === 0

/** A tenant that would be lifted when it comes back has nothing worth remembering. */
const forgetIdle = (lines: FairLines<unknown>, line: TenantLine<unknown>): void => {
  if (isIdle(line) && line.counter <= floorOf(lines)) lines.tenants.delete(line.tenant)
}

/** Looks through all tenants, rarely enough to cost each newcomer a constant share of it. */
const sweep = (lines: FairLines<unknown>): void => {
  const floor = floorOf(lines)
  const idle = [...lines.tenants.values()].filter(isIdle)
  const owing = idle.filter(({ counter }) => counter > floor)
  const forgotten = new Set(owing.slice(0, Math.max(0, owing.length - IDLE_MAX)))
  for (const line of idle) {
    if (line.counter <= floor || forgotten.has(line)) lines.tenants.delete(line.tenant)
  }
  lines.sweepAt = 2 * Math.max(IDLE_MAX, lines.tenants.size)
}
