import { credentials, reach, refuseFailure } from './gateway-client.ts'

/** A count of pools by why they were left out. */
export interface Filter {
  readonly reason: string
  readonly pools: number
}

/** One pool as `POST /v1/placement/explain` shows it; only what the command line reads. */
export interface Candidate {
  readonly pool_id: string
  readonly rank: number | null
  readonly reason: string | null
  readonly detail: string | null
  readonly predicted_end_ms: number
  readonly active_leases: number
  readonly slots_free: number
  readonly is_default_hint: boolean
  readonly kv_warmth: boolean
  readonly score: {
    readonly queue_ahead_ms: number
    readonly first_token_ms: number
    readonly uncached_fraction: number
    readonly decode_ms: number
  } | null
}

interface Decided {
  readonly decision: string
  readonly pool_id: string | null
  readonly reason: string | null
  readonly predicted_end_ms: number | null
  readonly tie_break: string | null
  readonly pinned: boolean
  readonly fallback_used: boolean
  readonly filters: readonly Filter[]
}

/** Where a job would go, as `POST /v1/placement/explain` answers. */
export interface Explanation extends Decided {
  readonly predicted_start_ms: number | null
  readonly advice: readonly string[]
  readonly candidates: readonly Candidate[]
}

/** What was decided for a job, as `GET /v1/placement/decisions/{id}` answers. */
export interface PastDecision extends Decided {
  readonly job_id: string
  readonly correlation_id: string | null
  readonly model_id: string
  readonly decided_at: string
  readonly attempts: number
  readonly candidates: number
  readonly feasible: number
}

/** Which gateway, and until when. */
export interface Gateway {
  readonly url: string
  readonly signal: AbortSignal
}

/** Asks where a job would go. Rejects with a `CliError`. */
export const explainJob = (
  gateway: Gateway,
  job: Readonly<Record<string, unknown>>,
): Promise<Explanation> =>
  ask(gateway, '/v1/placement/explain', { method: 'POST', body: JSON.stringify({ job }) })

/** Asks what was decided for a job, by job id or correlation id. Rejects with a `CliError`. */
export const readDecision = (gateway: Gateway, id: string): Promise<PastDecision> =>
  ask(gateway, `/v1/placement/decisions/${encodeURIComponent(id)}`, {})

const TIMEOUT_MS = 5_000

const ask = async <T>({ url, signal }: Gateway, path: string, init: RequestInit): Promise<T> => {
  const response = await reach(url + path, {
    ...init,
    headers: { 'content-type': 'application/json', ...credentials() },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  })
  await refuseFailure(response)
  return (await response.json()) as T
}
