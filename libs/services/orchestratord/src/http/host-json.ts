import {
  FreshnessSchema,
  LedgerStateSchema,
  type DeviceLedger,
  type FleetHost,
  type ModelDisk,
} from '@berth/contract'
import { deviceJson } from './pool-json.ts'
import { word } from './word.ts'

/** A host in the API's names. `null` is a fact nobody could measure, never zero. */
export const hostJson = (host: FleetHost) => ({
  id: host.hostId,
  object: 'host',
  epoch: Number(host.epoch),
  revision: Number(host.revision),
  agent_version: host.agentVersion,
  grpc_address: host.grpcAddress,
  ingress_address: host.ingressAddress,
  devices: host.devices.map(deviceJson),
  pool_ids: host.poolIds,
  last_heartbeat_ms: host.lastHeartbeatMs,
  freshness: word(FreshnessSchema, host.freshness),
  draining: host.isDraining,
  pools_file_problems: host.poolsFileProblems,
  ledger: host.ledger.map(ledgerJson),
  model_disk: diskJson(host.modelDisk),
})

/** The disk that holds model files; `null` where a host keeps none. */
export const diskJson = (disk: ModelDisk | undefined) =>
  disk === undefined
    ? null
    : {
        root: disk.root,
        total_bytes: Number(disk.totalBytes),
        free_bytes: Number(disk.freeBytes),
        models_bytes: Number(disk.modelsBytes),
        models: disk.models,
      }

/** What pools hold of one device, and what the next model may count on. */
const ledgerJson = (ledger: DeviceLedger) => ({
  device_id: ledger.deviceId,
  total_bytes: count(ledger.totalBytes),
  measured_free_bytes: count(ledger.measuredFreeBytes),
  available_bytes: count(ledger.availableBytes),
  entries: ledger.entries.map((entry) => ({
    pool_id: entry.poolId,
    model_id: entry.modelId,
    state: word(LedgerStateSchema, entry.state),
    reserved_bytes: Number(entry.reservedBytes),
    observed_bytes: count(entry.observedBytes),
    correction: Math.round(entry.correction * 1_000) / 1_000,
  })),
})

const count = (value: bigint | undefined) => (value === undefined ? null : Number(value))
