import type { Candidate, Explanation, Filter, PastDecision } from './placement-client.ts'
import { formatTable } from './table.ts'

/** Where a job would go, for people: the answer, every pool, and what would help. */
export const explanationText = (said: Explanation): string[] => [
  ...headline(said),
  '',
  ...(said.candidates.length === 0
    ? ['There are no pools.']
    : formatTable(HEADING, said.candidates.map(rowOf))),
  ...(said.advice.length === 0 ? [] : ['', ...said.advice.map((sentence) => `→ ${sentence}`)]),
]

/** What was decided for a job, for people. */
export const decisionText = (said: PastDecision): string[] => [
  `${said.model_id}: ${answer(said)}`,
  `at ${said.decided_at}, decided ${times(said.attempts)}`,
  `${said.feasible} of ${said.candidates} pools would do${leftOut(said.filters)}`,
  `job ${said.job_id}, correlation ${said.correlation_id ?? '-'}`,
]

const HEADING = ['', 'POOL', 'END MS', 'QUEUE', 'FIRST', 'DECODE', 'LEASES', 'FREE', 'WHY']

const rowOf = (candidate: Candidate): string[] => {
  const { score } = candidate
  const read = score === null ? 0 : score.first_token_ms * score.uncached_fraction
  const isFeasible = candidate.rank !== null
  const ms = (value: number | undefined) => (isFeasible ? String(Math.round(value ?? 0)) : '-')
  return [
    isFeasible ? String(candidate.rank) : '',
    candidate.pool_id,
    ms(candidate.predicted_end_ms),
    ms(score?.queue_ahead_ms),
    ms(read),
    ms(score?.decode_ms),
    String(candidate.active_leases),
    String(candidate.slots_free),
    isFeasible ? marksOf(candidate) : `${candidate.reason ?? ''}: ${candidate.detail ?? ''}`,
  ]
}

const marksOf = (candidate: Candidate): string =>
  [
    ...(candidate.kv_warmth ? ['warm'] : []),
    ...(candidate.is_default_hint ? ['not measured yet'] : []),
  ].join(', ')

const headline = (said: Explanation): string[] => {
  const start = said.predicted_start_ms
  return [answer(said) + (start === null ? '' : `, expected to start in ${start} ms`)]
}

const answer = (said: Explanation | PastDecision): string => {
  if (said.decision !== 'assigned') return `${said.decision}: ${said.reason ?? 'no reason'}`
  const marks = [
    ...(said.predicted_end_ms === null ? [] : [`over in ${said.predicted_end_ms} ms`]),
    ...(said.tie_break === null ? [] : [`a tie, decided by ${said.tie_break}`]),
    ...(said.pinned ? ['pinned'] : []),
    ...(said.fallback_used ? ['a fallback: no preferred pool could'] : []),
  ]
  return [`assigned to ${said.pool_id ?? ''}`, ...marks].join(', ')
}

const leftOut = (filters: readonly Filter[]): string =>
  filters.length === 0
    ? ''
    : `; left out: ${filters.map(({ reason, pools }) => `${pools} ${reason}`).join(', ')}`

const times = (attempts: number): string => (attempts === 1 ? 'once' : `${attempts} times`)
