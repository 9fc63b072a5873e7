export type { Exclusion, KvHint, PlacementJob } from './placement-job.ts'
export {
  DEFAULT_PLACEMENT_POLICY,
  type PlacementPolicy,
  type ScoringWeights,
  type Speed,
} from './placement-policy.ts'
export { VERDICTS, type PlacementReason, type Verdict, type When } from './verdict.ts'
export { isEligible } from './judge.ts'
export { place, type Decision } from './place.ts'
export { explain, isFallback, type Candidate, type Explanation } from './explain.ts'
export { tally, type Asked, type FilterCount, type Tally } from './tally.ts'
export type { Score } from './score.ts'
export type { TieBreak } from './tie-break-name.ts'
export { noteGrant, noteRelease, noteVoid, type GrantNote, type Measured } from './evidence.ts'
export { hasEvidence, onTimeProbability } from './prediction-errors.ts'
export { prospectOf, type Prospect } from './prospect.ts'
export { mintSeed, strictWeight } from './strict.ts'
