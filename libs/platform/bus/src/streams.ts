import { subjectCovers } from './subjects.ts'

/** A JetStream stream: which subjects it stores, and what bounds it. */
export interface StreamSpec {
  readonly name: string
  readonly subjects: readonly string[]
  /** -1: as many as fit. */
  readonly messagesPerSubject: number
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/**
 * The streams, created by whoever connects first. A snapshot is published every 10 s and a host
 * counts as offline after 30 s, so that an older one says nothing and leaves after 60 s. The bytes
 * hold 10,000 hosts of 6 KB; events are for looking back, a day of them is plenty.
 */
export const STREAMS = [
  {
    name: 'BERTH_SNAPSHOTS',
    subjects: ['berth.v1.host.*.snapshot'],
    messagesPerSubject: 1,
    maxAgeMs: 60_000,
    maxBytes: 64 * 2 ** 20,
  },
  {
    name: 'BERTH_EVENTS',
    subjects: ['berth.v1.event.>'],
    messagesPerSubject: -1,
    maxAgeMs: 24 * 3_600_000,
    maxBytes: 64 * 2 ** 20,
  },
] as const satisfies readonly StreamSpec[]

/** The stream that stores a subject or pattern; `undefined` for live-only ones. */
export const streamOf = (subject: string): StreamSpec | undefined =>
  STREAMS.find((stream) => stream.subjects.some((pattern) => subjectCovers(pattern, subject)))
