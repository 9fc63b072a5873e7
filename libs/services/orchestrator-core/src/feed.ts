import { subjects, type Bus, type MessageOrigin } from '@berth/bus'
import type { HostHeartbeat, HostSnapshot } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { RpcLog } from '@berth/rpc'
import type { Coordinator } from './coordinator.ts'
import { toHostHeartbeat, toHostSnapshot } from './wire-snapshot.ts'

/**
 * Feeds the coordinator from the bus: the last snapshot of each host, every later one, heartbeats,
 * and whether the bus is there at all. Ends when disposed.
 */
export const startFeed = (bus: Bus, coordinator: Coordinator, log: RpcLog): Disposable => {
  const onSnapshot = (published: HostSnapshot, _: string, origin?: MessageOrigin) => {
    const snapshot = decode(() => toHostSnapshot(published), published.hostId, log)
    if (snapshot) coordinator.onSnapshot(snapshot, published, origin)
  }
  const onHeartbeat = (published: HostHeartbeat) => {
    const heartbeat = decode(() => toHostHeartbeat(published), published.hostId, log)
    if (heartbeat) coordinator.onHeartbeat(heartbeat)
  }
  const cancels = [
    bus.onStatus((isConnected) => coordinator.onBusStatus(isConnected)),
    bus.watchLatest(subjects.allHostSnapshots, onSnapshot),
    bus.subscribe(subjects.allHostHeartbeats, onHeartbeat),
  ]
  if (!bus.isConnected) coordinator.onBusStatus(false)
  return { [Symbol.dispose]: () => cancels.forEach((cancel) => cancel()) }
}

const decode = <T>(read: () => T, hostId: string, log: RpcLog): T | undefined => {
  try {
    return read()
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    log.warn({ hostId, reason, detail: message }, 'host message dropped')
    return undefined
  }
}
