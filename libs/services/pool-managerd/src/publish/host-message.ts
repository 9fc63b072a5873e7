import { create } from '@bufbuild/protobuf'
import {
  HostSnapshotSchema,
  type HostSnapshot,
  type ModelDisk,
  type Pool as PoolMessage,
} from '@berth/contract'
import type { FoundDevice } from '@berth/devices'
import { ledgerMessage } from '../memory/ledger-message.ts'
import type { MemoryBook } from '../memory/memory-book.ts'
import type { Authority } from '../ingress/authority.ts'
import { DEVICE_KIND } from './wire.ts'

/** Everything a host's snapshot says beside its pools. */
export interface HostFacts {
  readonly hostId: string
  readonly epoch: number
  readonly revision: number
  /** Unix milliseconds. */
  readonly takenAtMs: number
  readonly agentVersion: string
  readonly grpcAddress: string
  readonly ingressAddress: string
  readonly devices: readonly FoundDevice[]
  /** Absent: nothing is booked. */
  readonly memory?: Pick<MemoryBook, 'ledger'> | undefined
  readonly authority: Authority
  readonly isDraining: boolean
  /** Why the pools file as it is now is not followed; none while it is. */
  readonly poolsFileProblems: readonly string[]
  /** Absent: this host keeps no models, or has not looked yet. */
  readonly modelDisk?: ModelDisk | undefined
}

/** The snapshot of a host. */
export const hostMessage = (facts: HostFacts, pools: PoolMessage[]): HostSnapshot =>
  create(HostSnapshotSchema, {
    hostId: facts.hostId,
    epoch: BigInt(facts.epoch),
    revision: BigInt(facts.revision),
    takenAtMs: BigInt(Math.round(facts.takenAtMs)),
    agentVersion: facts.agentVersion,
    grpcAddress: facts.grpcAddress,
    ingressAddress: facts.ingressAddress,
    devices: facts.devices.map(deviceMessage),
    ledger: facts.memory ? ledgerMessage(facts.devices, facts.memory) : [],
    pools,
    term: BigInt(facts.authority.term),
    leaseKeyIds: facts.authority.keys.map(({ keyId }) => keyId),
    isDraining: facts.isDraining,
    poolsFileProblems: [...facts.poolsFileProblems],
    ...(facts.modelDisk ? { modelDisk: facts.modelDisk } : {}),
  })

const deviceMessage = (device: FoundDevice) => ({
  deviceId: device.deviceId,
  uuid: device.uuid,
  name: device.name,
  kind: DEVICE_KIND[device.kind],
  computeCapability: device.computeCapability,
  cores: device.cores,
  fault: device.fault?.message ?? '',
  driverVersion: device.driverVersion ?? '',
  ...bytes('memoryTotalBytes', device.memoryTotalBytes),
  ...bytes('memoryFreeBytes', device.memoryFreeBytes),
  ...(device.utilizationPercent === undefined
    ? {}
    : { utilizationPercent: device.utilizationPercent }),
  ...(device.temperatureC === undefined ? {} : { temperatureC: device.temperatureC }),
})

const bytes = (name: 'memoryTotalBytes' | 'memoryFreeBytes', value: number | undefined) =>
  value === undefined ? {} : { [name]: BigInt(value) }
