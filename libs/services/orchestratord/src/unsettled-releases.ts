import { create, toBinary } from '@bufbuild/protobuf'
import {
  LiveLeaseSchema,
  ReleaseSchema,
  UnsettledReleaseSchema,
  type LiveLease,
  type Release,
  type UnsettledRelease,
} from '@berth/contract'
import type { ReleaseReport } from './session.ts'

/** Tag and length of one entry of a Hello, at most. */
export const FRAMING_BYTES = 6

export type UnsettledReleases = ReturnType<typeof createUnsettledReleases>

/**
 * The releases of this gateway, numbered from 1, until core has them in its ledger for good. The
 * next Hello carries them: a leader that died took with it what it had not stored.
 */
export const createUnsettledReleases = (options: {
  /** More than these are not kept; the oldest go first. */
  readonly capacity: number
  /** Nor more than a Hello has room for. */
  readonly maxBytes: number
  /** Called with how many were dropped so far. */
  onDropped(dropped: number): void
}) => {
  let kept: Kept[] = []
  let keptBytes = 0
  let sequence = 0n
  let dropped = 0
  const dropOldest = () => {
    keptBytes -= kept.shift()!.bytes
    options.onDropped((dropped += 1))
  }
  const leaveRoom = (bytes: number) => {
    while (kept.length > 0 && keptBytes + bytes > options.maxBytes) dropOldest()
  }
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
      const unsettled = create(UnsettledReleaseSchema, { lease, release })
      const bytes = toBinary(UnsettledReleaseSchema, unsettled).length + FRAMING_BYTES
      kept.push({ unsettled, sequence, bytes })
      keptBytes += bytes
      if (kept.length > options.capacity) dropOldest()
      leaveRoom(0)
      return release
    },
    /** So many bytes of the Hello say something else: the oldest make room for them. */
    leaveRoom,
    /** Core needs nothing up to this number any more. */
    settle: (upTo: bigint) => {
      kept = kept.filter((one) => one.sequence > upTo)
      keptBytes = kept.reduce((sum, { bytes }) => sum + bytes, 0)
    },
    /** Those after `number`, oldest first. */
    after: (number: bigint): UnsettledRelease[] =>
      kept.flatMap(({ unsettled, sequence: own }) => (own > number ? [unsettled] : [])),
  }
}

interface Kept {
  readonly unsettled: UnsettledRelease
  readonly sequence: bigint
  /** What it takes of a Hello. */
  readonly bytes: number
}

/** Stands for a lease of which nothing is known but its id. */
export const nameless = (leaseId: string): LiveLease => create(LiveLeaseSchema, { leaseId })
