export type { Exclusion, KvHint, PlacementJob } from './placement-job.ts'
export {
  DEFAULT_PLACEMENT_POLICY,
  type PlacementPolicy,
  type ScoringWeights,
  type Speed,
} from './placement-policy.ts'
export type { PlacementReason, Verdict, When } from './verdict.ts'
export { isEligible } from './judge.ts'
export { place, type Decision } from './place.ts'
export {
  explain,
  isFallback,
  type Candidate,
  type Explanation,
  type FilterCount,
} from './explain.ts'
export type { Score } from './score.ts'
export type { TieBreak } from './tie-break-name.ts'
export { noteGrant, noteRelease, noteVoid, type GrantNote, type Measured } from './evidence.ts'
export { hasEvidence, onTimeProbability } from './prediction-errors.ts'
export { mintSeed, strictWeight } from './strict.ts'
