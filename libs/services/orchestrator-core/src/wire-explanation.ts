import type { MessageInitShape } from '@bufbuild/protobuf'
import type {
  CandidateSchema,
  ExplainResponseSchema,
  GetDecisionResponseSchema,
  ScoreSchema,
} from '@berth/contract'
import type { Candidate, Decision, Explanation, Score } from '@berth/placement'
import type { DecisionEntry } from './decision-log.ts'
import { toUint32 } from './wire-signal.ts'

/** Candidates of one answer; `filters` counts the others too. */
const CANDIDATES_MAX = 1_000

/** An explanation as it travels. */
export const fromExplanation = (
  explanation: Explanation,
): MessageInitShape<typeof ExplainResponseSchema> => ({
  ...fromDecision(explanation.decision),
  candidates: explanation.candidates.slice(0, CANDIDATES_MAX).map(fromCandidate),
  filters: [...explanation.filters],
  tieBreak: explanation.tieBreak ?? '',
  pinned: explanation.isPinned,
  fallbackUsed: explanation.isFallback,
  advice: [...explanation.advice],
})

/** A remembered decision as it travels. */
export const fromDecisionEntry = (
  entry: DecisionEntry,
): MessageInitShape<typeof GetDecisionResponseSchema> => ({
  jobId: entry.jobId,
  correlationId: entry.correlationId,
  modelId: entry.modelId,
  decidedAtMs: BigInt(Math.round(entry.decidedAtMs)),
  decision: entry.kind,
  poolId: entry.poolId ?? '',
  reason: entry.reason ?? '',
  candidates: entry.tally.candidates,
  feasible: entry.tally.feasible,
  predictedEndMs: toUint32(entry.predictedEndMs),
  pinned: entry.isPinned,
  fallbackUsed: entry.isFallback,
  filters: [...entry.tally.filters],
  attempts: entry.attempts,
  tieBreak: entry.tally.tieBreak ?? '',
})

const fromDecision = (decision: Decision) => {
  switch (decision.kind) {
    case 'assigned': {
      const predictedEndMs = toUint32(decision.predictedEndMs)
      return { decision: 'assigned', poolId: decision.pool.poolId, predictedEndMs }
    }
    case 'wait': {
      const predictedStartMs = toUint32(decision.predictedStartMs)
      return { decision: 'wait', reason: decision.reason, predictedStartMs }
    }
    case 'impossible':
      return { decision: 'impossible', reason: decision.reason }
  }
}

const fromCandidate = (candidate: Candidate): MessageInitShape<typeof CandidateSchema> => {
  const { vramHeadroomBytes } = candidate
  const feasible = candidate.reason === 'FEASIBLE'
  return {
    poolId: candidate.poolId,
    feasible,
    reason: feasible ? '' : candidate.reason,
    detail: candidate.detail,
    predictedEndMs: toUint32(candidate.predictedEndMs),
    activeLeases: candidate.activeLeases,
    slotsFree: candidate.slotsFree,
    isDefaultHint: candidate.isDefaultHint,
    rank: candidate.rank,
    score: fromScore(candidate.score),
    kvWarmth: candidate.isWarm,
    ...(vramHeadroomBytes === undefined
      ? {}
      : { vramHeadroomBytes: BigInt(Math.min(BYTES_MAX, Math.floor(vramHeadroomBytes))) }),
    perfTokensPerS: candidate.tokensPerS,
  }
}

/** An agent's number may round to more than its field holds. */
const BYTES_MAX = Number.MAX_SAFE_INTEGER

const fromScore = (score: Score): MessageInitShape<typeof ScoreSchema> => score
