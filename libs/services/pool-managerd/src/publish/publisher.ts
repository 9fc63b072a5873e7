import { create } from '@bufbuild/protobuf'
import { subjects, type Bus } from '@berth/bus'
import { HostHeartbeatSchema, type HostSnapshot } from '@berth/contract'
import { every, type Cancel, type Clock } from '@berth/kernel'

const SNAPSHOT_INTERVAL_MS = 10_000
const HEARTBEAT_INTERVAL_MS = 2_000
/** Changes that placement depends on leave at most this much later: 20 snapshots a second. */
const URGENT_MS = 50
/** Slots come and go with every request, and core counts its own leases. */
const SOON_MS = 250

/** When a change is to be known: at once, as placement depends on it, or when it suits. */
export type Urgency = 'now' | 'urgent' | 'soon'

/** Keeps the fleet's picture of this host up to date. */
export interface Publisher extends Disposable {
  /** Something changed; many changes become one snapshot, unless it is to be known now. */
  changed(urgency: Urgency): void
  /** The state of now, under a revision of its own. */
  take(): HostSnapshot
  /** Sends the state of now at once. */
  flush(): void
}

export interface PublisherOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly hostId: string
  readonly epoch: number
  build(revision: number): HostSnapshot
}

export const createPublisher = (options: PublisherOptions): Publisher => {
  const { bus, clock, hostId, epoch } = options
  let revision = 0
  let publishedRevision = 0
  let pending: { readonly dueAt: number; readonly cancel: Cancel } | undefined

  const flush = () => {
    pending?.cancel()
    pending = undefined
    const snapshot = take()
    publishedRevision = revision
    bus.publish(subjects.hostSnapshot(hostId), snapshot)
  }
  const take = () => options.build(++revision)
  const beat = () =>
    bus.publish(
      subjects.hostHeartbeat(hostId),
      create(HostHeartbeatSchema, {
        hostId,
        epoch: BigInt(epoch),
        // That of the last one sent: readers compare it with what they have.
        revision: BigInt(publishedRevision),
      }),
    )
  const stops = [
    every(clock, SNAPSHOT_INTERVAL_MS, flush),
    every(clock, HEARTBEAT_INTERVAL_MS, beat),
  ]
  return {
    take,
    flush,
    changed: (urgency) => {
      if (urgency === 'now') return flush()
      const ms = urgency === 'urgent' ? URGENT_MS : SOON_MS
      const dueAt = clock.now() + ms
      if (pending && pending.dueAt <= dueAt) return
      pending?.cancel()
      pending = { dueAt, cancel: clock.after(ms, flush) }
    },
    [Symbol.dispose]: () => {
      for (const stop of stops) stop()
      pending?.cancel()
    },
  }
}
