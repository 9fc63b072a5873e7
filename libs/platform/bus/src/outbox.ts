import type { Payload } from './wire.ts'

/** Subjects kept while disconnected. */
const CAPACITY = 1024

/** What waits for the connection: the latest message of each subject, oldest subject first. */
export interface Outbox {
  put(subject: string, payload: Payload): void
  /** Takes everything out. */
  takeAll(): [subject: string, payload: Payload][]
  /** Messages of subjects that did not fit. */
  readonly dropped: number
}

/** A bounded outbox: a new subject that does not fit pushes the oldest one out. */
export const createOutbox = (capacity = CAPACITY): Outbox => {
  const waiting = new Map<string, Payload>()
  let dropped = 0
  return {
    put: (subject, payload) => {
      waiting.delete(subject)
      waiting.set(subject, payload)
      if (waiting.size <= capacity) return
      const [oldest] = waiting.keys()
      waiting.delete(oldest as string)
      dropped += 1
    },
    takeAll: () => {
      const all = [...waiting]
      waiting.clear()
      return all
    },
    get dropped() {
      return dropped
    },
  }
}
