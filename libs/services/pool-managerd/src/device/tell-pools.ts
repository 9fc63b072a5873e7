import type { FoundDevice } from '@berth/devices'
import type { Cancel } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { Pool } from '../pool/pool.ts'
import type { AgentEvents } from '../publish/agent-events.ts'
import type { Publisher } from '../publish/publisher.ts'
import type { Devices } from './devices.ts'

export interface Listeners {
  readonly pools: ReadonlyMap<string, Pool>
  readonly events: Pick<AgentEvents, 'deviceChanged'>
  readonly publisher: Pick<Publisher, 'changed'>
  readonly log: Logger
}

/** Tells pools, fleet and log what the devices are like, now and after every look. */
export const tellPools = (
  devices: Devices,
  { pools, events, publisher, log }: Listeners,
): Cancel => {
  const told = new Map<string, string>()
  const tellOf = (device: FoundDevice) => {
    const message = device.fault?.message ?? ''
    if ((told.get(device.uuid) ?? '') === message) return
    const poolIds = [...pools.values()]
      .filter(({ spec }) => spec.devices.includes(device.deviceId))
      .map(({ spec }) => spec.poolId)
    const facts = { device_id: device.deviceId, uuid: device.uuid, pool_ids: poolIds }
    if (message === '') log.info(facts, 'device is well again')
    else log.error({ ...facts, fault: device.fault?.kind, advice: message }, 'device is at fault')
    events.deviceChanged(device, poolIds)
  }
  const tell = (hasChanged: boolean) => {
    for (const device of devices.found) tellOf(device)
    told.clear()
    for (const { uuid, fault } of devices.found) if (fault) told.set(uuid, fault.message)
    for (const pool of pools.values()) {
      const message = devices.faultOf(pool.spec.devices)
      if (message === pool.supervised.deviceFault) continue
      pool.dispatch(
        message === undefined ? { kind: 'device_ok' } : { kind: 'device_fault', message },
      )
    }
    if (hasChanged) publisher.changed('soon')
  }
  tell(false)
  return devices.onLook(tell)
}
