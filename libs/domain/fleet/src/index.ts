export type {
  ModelDimensions,
  ModelResidency,
  PerformanceCell,
  PerformanceHint,
  PoolSnapshot,
  PoolState,
  Residency,
  Supports,
} from './pool-snapshot.ts'
export type { Device, DeviceKind, HostHeartbeat, HostSnapshot } from './host-snapshot.ts'
export { createFleetView, type FleetView, type HostView, type PoolView } from './fleet-view.ts'
export {
  foldHeartbeat,
  foldSnapshot,
  type FoldResult,
  type SnapshotOrigin,
} from './fold-snapshot.ts'
export {
  estKvBytesOf,
  kvBytes,
  kvSlope,
  kvTokensOf,
  type KvDemand,
  type KvSlope,
} from './kv-bytes.ts'
export { isSharedBit, routeBit } from './route-bits.ts'
export type { VoidedPool } from './claim-pools.ts'
export {
  DEFAULT_FRESHNESS,
  expireHosts,
  freezeAges,
  freshnessOf,
  hostAgeMs,
  thawAges,
  thawHost,
  type Freshness,
  type FreshnessPolicy,
  type OfflineHost,
} from './freshness.ts'
export { clearKeyed, markKeyed, release, reserve, reserveInUse, slotsFree } from './reserve.ts'
export {
  CHAIN_BLOCKS_MAX,
  chainBlocks,
  createPrefixIndex,
  forgetPool,
  forgetPrefix,
  prefixIndexBytes,
  rememberPrefix,
  type PrefixIndex,
  type PrefixUse,
} from './prefix-index.ts'
export { heldBlocks, matchedBlocks, matchPrefix } from './prefix-match.ts'
export type { Bias, PoolEvidence } from './pool-evidence.ts'
export {
  createModelSpeeds,
  modelsKnown,
  OCCUPANCY_BANDS,
  PROMPT_BANDS,
  speedClassBytes,
  type BiasOfClass,
  type ModelSpeeds,
  type SpeedClass,
} from './speed-class.ts'
export { BAND, forgetRow, ROW, type DefaultSpeeds, type SpeedRows } from './speed-rows.ts'
