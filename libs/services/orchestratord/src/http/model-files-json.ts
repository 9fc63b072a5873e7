import type { HostModelFiles, ModelFiles, PoolFit } from '@berth/contract'
import { diskJson } from './host-json.ts'

/** The model files of one host in the API's names. */
export const hostFilesJson = ({ hostId, models, disk }: HostModelFiles) => ({
  object: 'host_models',
  host_id: hostId,
  disk: diskJson(disk),
  models: models.map(filesJson),
})

const filesJson = (files: ModelFiles) => ({
  model_ref: files.modelRef,
  path: files.path,
  size_bytes: Number(files.sizeBytes),
  digest: text(files.digest),
  revision: text(files.revision),
  complete: files.isComplete,
  bytes_downloaded: Number(files.bytesDownloaded),
  last_used_at:
    files.lastUsedAtMs === 0n ? null : new Date(Number(files.lastUsedAtMs)).toISOString(),
  pool_ids: files.poolIds,
  architecture: text(files.architecture),
  quantization: text(files.quantization),
  parameters: Number(files.parameters) || null,
  context_length: files.contextLength || null,
})

/** What a model would take in one pool; without `fit` where the pool cannot say. */
export const fitJson = ({ hostId, poolId, fit, reason }: PoolFit) => ({
  object: 'fit',
  host_id: hostId,
  pool_id: poolId,
  model_id: fit?.modelId ? fit.modelId : null,
  // Null: nobody can tell.
  fits: fit?.fits ?? null,
  reason: text(fit === undefined ? reason : fit.reason),
  basis: text(fit?.basis ?? ''),
  required_bytes: fit === undefined ? null : Number(fit.requiredBytes),
  host_bytes: fit === undefined ? null : Number(fit.hostBytes),
  correction: fit === undefined ? null : Math.round(fit.correction * 1_000) / 1_000,
  terms: (fit?.terms ?? []).map(({ name, bytes, formula }) => ({
    ...{ name, bytes: Number(bytes), formula },
  })),
  devices: (fit?.devices ?? []).map((device) => ({
    device_id: device.deviceId,
    required_bytes: Number(device.requiredBytes),
    available_bytes: count(device.availableBytes),
    total_bytes: count(device.totalBytes),
    headroom_bytes: Number(device.headroomBytes),
  })),
  evictable_model_ids: fit?.evictableModelIds ?? [],
})

const text = (value: string) => (value === '' ? null : value)
const count = (value: bigint | undefined) => (value === undefined ? null : Number(value))
