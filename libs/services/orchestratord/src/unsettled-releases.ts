import { create } from '@bufbuild/protobuf'
import {
  LiveLeaseSchema,
  ReleaseSchema,
  UnsettledReleaseSchema,
  type LiveLease,
  type Release,
  type UnsettledRelease,
} from '@berth/contract'
import type { ReleaseReport } from './session.ts'

export type UnsettledReleases = ReturnType<typeof createUnsettledReleases>

/**
 * The releases of this gateway, numbered from 1, until core has them in its ledger for good. The
 * next Hello carries them: a leader that died took with it what it had not stored.
 */
export const createUnsettledReleases = (options: {
  /** More than these are not kept; the oldest go first. */
  readonly capacity: number
  /** Called with how many were dropped so far. */
  onDropped(dropped: number): void
}) => {
  let kept: UnsettledRelease[] = []
  let sequence = 0n
  let dropped = 0
  return {
    get size() {
      return kept.length
    },
    /** The number of the last release. */
    get last() {
      return sequence
    },
    /** Numbers the end of a lease and keeps it. */
    add: (lease: LiveLease, report: ReleaseReport): Release => {
      sequence += 1n
      const release = create(ReleaseSchema, { ...report, leaseId: lease.leaseId, sequence })
      kept.push(create(UnsettledReleaseSchema, { lease, release }))
      if (kept.length > options.capacity) {
        kept.shift()
        options.onDropped((dropped += 1))
      }
      return release
    },
    /** Core needs nothing up to this number any more. */
    settle: (upTo: bigint) => {
      const first = kept.findIndex(({ release }) => (release?.sequence ?? 0n) > upTo)
      kept = first < 0 ? [] : kept.slice(first)
    },
    /** Those after `number`, oldest first. */
    after: (number: bigint): UnsettledRelease[] =>
      kept.filter(({ release }) => (release?.sequence ?? 0n) > number),
  }
}

/** Stands for a lease of which nothing is known but its id. */
export const nameless = (leaseId: string): LiveLease => create(LiveLeaseSchema, { leaseId })
