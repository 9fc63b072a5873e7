import { createHeap, type Heap } from './heap.ts'
import { createLine, insert, remove, type Line } from './line.ts'
import { compareAge, type WaitingJob } from './waiting-job.ts'

/** The jobs of one tenant that wait, and what it was served. */
export interface TenantLine<Payload> extends Line<Payload> {
  readonly tenant: string
  /** Served tokens divided by the tenant's weight: whoever has the least is next. */
  counter: number
  /** Jobs of it that were dispatched and are not over. */
  running: number
  /** What the jobs of it that wait will be charged together, in tokens. */
  costTokens: number
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
  amount: number,
): TenantLine<Payload> => {
  const line = enter(lines, tenant)
  line.running += 1
  lines.served = line
  addTo(lines, line, amount)
  return line
}

/** Corrects what a dispatched job was charged, when it is over. Once for each `charge`. */
export const settle = <Payload>(
  lines: FairLines<Payload>,
  line: TenantLine<Payload>,
  correction: number,
): void => {
  line.running -= 1
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
  const line = { ...createLine<Payload>(), tenant, counter: 0, running: 0, costTokens: 0 }
  lines.tenants.set(tenant, line)
  return line
}

/** The least counter of the tenants that wait; of the one served last when none does. */
const floorOf = (lines: FairLines<unknown>): number =>
  (lines.next.first ?? lines.served)?.counter ?? 0

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
