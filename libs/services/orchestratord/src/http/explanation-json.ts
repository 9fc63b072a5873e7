import type { Candidate, ExplainResponse, GetDecisionResponse, Score } from '@berth/contract'

/** Where a job would go, in the API's names. `null` is what does not apply or is not known. */
export const explanationJson = (said: ExplainResponse) => ({
  object: 'placement.explanation',
  decision: said.decision,
  pool_id: text(said.poolId),
  reason: text(said.reason),
  predicted_start_ms: said.decision === 'wait' ? said.predictedStartMs : null,
  predicted_end_ms: said.decision === 'assigned' ? said.predictedEndMs : null,
  tie_break: text(said.tieBreak),
  pinned: said.pinned,
  fallback_used: said.fallbackUsed,
  filters: said.filters.map(({ reason, pools }) => ({ reason, pools })),
  advice: said.advice,
  candidates: said.candidates.map(candidateJson),
})

/** What was decided for a job, in the API's names. */
export const decisionJson = (said: GetDecisionResponse) => ({
  object: 'placement.decision',
  job_id: said.jobId,
  correlation_id: text(said.correlationId),
  model_id: said.modelId,
  decided_at: new Date(Number(said.decidedAtMs)).toISOString(),
  attempts: said.attempts,
  decision: said.decision,
  pool_id: text(said.poolId),
  reason: text(said.reason),
  predicted_end_ms: said.decision === 'assigned' ? said.predictedEndMs : null,
  tie_break: text(said.tieBreak),
  pinned: said.pinned,
  fallback_used: said.fallbackUsed,
  candidates: said.candidates,
  feasible: said.feasible,
  filters: said.filters.map(({ reason, pools }) => ({ reason, pools })),
})

const candidateJson = (candidate: Candidate) => ({
  pool_id: candidate.poolId,
  rank: candidate.rank || null,
  feasible: candidate.feasible,
  reason: text(candidate.reason),
  detail: text(candidate.detail),
  predicted_end_ms: candidate.predictedEndMs,
  score: candidate.score ? scoreJson(candidate.score) : null,
  active_leases: candidate.activeLeases,
  slots_free: candidate.slotsFree,
  is_default_hint: candidate.isDefaultHint,
  kv_warmth: candidate.kvWarmth,
  vram_headroom_bytes:
    candidate.vramHeadroomBytes === undefined ? null : Number(candidate.vramHeadroomBytes),
  perf_tokens_per_s: tenths(candidate.perfTokensPerS),
})

const scoreJson = (score: Score) => ({
  admission_ms: tenths(score.admissionMs),
  queue_ahead_ms: tenths(score.queueAheadMs),
  first_token_ms: tenths(score.firstTokenMs),
  uncached_fraction: Math.round(score.uncachedFraction * 1_000) / 1_000,
  decode_ms: tenths(score.decodeMs),
  cached_blocks: score.cachedBlocks,
  prompt_blocks: score.promptBlocks,
})

const text = (value: string) => (value === '' ? null : value)
const tenths = (value: number) => Math.round(value * 10) / 10
