export {
  correctionFor,
  correctionKey,
  learn,
  NO_CORRECTIONS,
  readCorrections,
  type Correction,
  type Corrections,
  type LearnSubject,
} from './correction.ts'
export {
  cancelReservation,
  concludeLoad,
  measureDevices,
  observeMemory,
  releaseMemory,
  type MeasureOutcome,
  type MemoryUse,
  type OverdueRelease,
} from './follow-memory.ts'
export {
  balanceOf,
  DEFAULT_LEDGER_POLICY,
  emptyLedger,
  type DeviceBalance,
  type DeviceMeasurement,
  type Ledger,
  type LedgerEntry,
  type LedgerPolicy,
  type LedgerShare,
} from './ledger.ts'
export { estimateMemory } from './estimate-memory.ts'
export { explainEstimate } from './explain-estimate.ts'
export type {
  EstimateDevice,
  EstimateTerm,
  KnownEstimate,
  MemoryEstimate,
} from './memory-estimate.ts'
export type { AllocatedPlan, MemoryPlan, ReservedPlan, UnknownPlan } from './memory-plan.ts'
export type { BlockCache, ModelFacts, ModelWidths } from './model-facts.ts'
export {
  reserveMemory,
  weighClaim,
  type MemoryClaim,
  type ReserveOutcome,
  type Shortfall,
} from './reserve-memory.ts'
