import { compareAge, type WaitingJob } from './waiting-job.ts'

/** A doubly linked list: a job leaves from anywhere in constant time. */
export interface Line<Payload> {
  first: WaitingJob<Payload> | undefined
  last: WaitingJob<Payload> | undefined
  length: number
}

/** A line nobody stands in. */
export const createLine = <Payload>(): Line<Payload> => ({
  first: undefined,
  last: undefined,
  length: 0,
})

/**
 * Puts a job behind everyone who came before it. Constant for a new job; one that is sent again
 * after a failover walks forward to its original place.
 */
export const insert = <Payload>(line: Line<Payload>, job: WaitingJob<Payload>): void => {
  let before = line.last
  while (before && compareAge(before, job) > 0) before = before.previous
  job.previous = before
  job.next = before ? before.next : line.first
  if (job.previous) job.previous.next = job
  else line.first = job
  if (job.next) job.next.previous = job
  else line.last = job
  line.length += 1
}

/** Takes a job out; it must stand in this line. */
export const remove = <Payload>(line: Line<Payload>, job: WaitingJob<Payload>): void => {
  if (job.previous) job.previous.next = job.next
  else line.first = job.next
  if (job.next) job.next.previous = job.previous
  else line.last = job.previous
  job.previous = undefined
  job.next = undefined
  line.length -= 1
}
