/** A process that shows series. */
export type SeriesOwner = 'orchestratord' | 'orchestrator-core' | 'pool-managerd'

/** One series as Prometheus sees it. Name, type, labels and buckets are a contract. */
export interface SeriesSpec {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Who shows it; `every` service its own. */
  readonly owner: SeriesOwner | 'every'
  readonly help: string
  readonly labels: readonly LabelName[]
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[]
  /** Values of a label where this series allows other than `LABEL_BUDGETS`. */
  readonly budgets?: Readonly<Partial<Record<LabelName, number>>>
  /** Values of a gauge may be added up, so that those beyond a budget become one: `other`. */
  readonly isAdditive?: boolean
}

/**
 * Values each label may take in one series of one process, `other` among them. Source of those
 * without a note: the metrics contract of llama-orch (`ci/metrics.lint.json`).
 */
export const LABEL_BUDGETS = {
  /** llama-orch has 4 engines; ours are 6 and `unassigned`, a closed set. */
  engine: 8,
  engine_version: 64,
  pool_id: 256,
  /** A pool is one replica: `replica_id` is its pool's id. */
  replica_id: 1024,
  priority: 8,
  reason: 16,
  /** Ours; `placement_decisions_total` keeps its 4. */
  outcome: 8,
  pinned: 2,
  fallback: 2,
  /** Ours, as everything below: closed sets, but for ids. */
  policy: 4,
  device: 64,
  host_id: 256,
  from: 16,
  to: 16,
  cause: 16,
  state: 4,
  direction: 2,
  route: 64,
  code: 64,
  quantile: 4,
} as const

/** A label that some series has. */
export type LabelName = keyof typeof LABEL_BUDGETS

const VERSIONED = ['engine', 'engine_version', 'pool_id'] as const
const PLACED = [...VERSIONED, 'replica_id'] as const

type More = Pick<SeriesSpec, 'budgets' | 'isAdditive'>
type Labels = readonly LabelName[]

const counter = <const L extends Labels = []>(help: string, labels?: L, more: More = {}) =>
  spec('counter', help, labels, more)
const gauge = <const L extends Labels = []>(help: string, labels?: L, more: More = {}) =>
  spec('gauge', help, labels, more)
const histogram = <const L extends Labels>(help: string, labels: L, buckets: readonly number[]) =>
  spec('histogram', help, labels, { buckets })
const spec = <T extends SeriesSpec['type'], const L extends Labels>(
  type: T,
  help: string,
  labels: L = [] as unknown as L,
  more: More & Pick<SeriesSpec, 'buckets'> = {},
) => ({ type, help, labels, ...more })

const core = {
  tasks_enqueued_total: counter(
    'Jobs that had to wait. No pool is chosen for them yet: its labels read unassigned.',
    [...PLACED, 'priority'],
  ),
  tasks_started_total: counter('Jobs that got a slot of a pool.', [...PLACED, 'priority']),
  tasks_canceled_total: counter(
    'Jobs whose client left: while they waited (unassigned) or on their pool.',
    [...PLACED, 'reason'],
  ),
  tasks_rejected_total: counter(
    'Jobs that were refused, by error code. engine: the one all pools of the model share.',
    ['engine', 'reason'],
  ),
  tokens_in_total: counter('Prompt tokens of released leases.', PLACED),
  tokens_out_total: counter('Produced tokens of released leases.', PLACED),
  admission_backpressure_events_total: counter(
    'Jobs a full queue refused (reject), or dropped for a newer one (drop-lru).',
    ['engine', 'policy'],
  ),
  placement_decisions_total: counter(
    'Placement decisions; a waiting job is decided again and again.',
    ['outcome', 'pinned', 'fallback'],
    { budgets: { outcome: 4 } },
  ),
  placement_candidates_considered: gauge('Pools the last decision looked at.'),
  queue_depth: gauge(
    'Jobs that wait. No pool is chosen for them yet: its labels read unassigned.',
    [...VERSIONED, 'priority'],
    { isAdditive: true },
  ),
  admission_latency_ms: histogram(
    'From arrival to dispatch, in milliseconds.',
    [],
    [1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 15_000, 60_000, 300_000],
  ),
  latency_first_token_ms: histogram(
    'From arrival to the first token: the wait for a slot and what the gateway measured.',
    [...VERSIONED, 'priority'],
    [50, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000],
  ),
  latency_decode_ms: histogram(
    'From the first token to the last of a completed request, in milliseconds.',
    [...VERSIONED, 'priority'],
    [250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000],
  ),
  berth_job_outcome_total: counter('Jobs by how they left admission; each has one outcome.', [
    'outcome',
  ]),
  berth_place_seconds: histogram(
    'Duration of one placement decision.',
    [],
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.001, 0.01],
  ),
  berth_leases: gauge('Leases core counts.'),
  berth_leases_voided_total: counter('Leases that ended without a release.', ['cause']),
  berth_gateways: gauge('Gateways with a session.'),
  berth_hosts: gauge('Hosts in the view.'),
  berth_pool_conflicts: gauge('Pool ids claimed twice.'),
  berth_leader: gauge('1 on the core that leads.'),
  berth_term: gauge('The highest leader term known.'),
  berth_snapshot_age_seconds: gauge('Since a host was last heard of.', ['host_id']),
  berth_config_reloads_total: counter(
    'Changed configurations read while running: applied, or refused with the old one kept.',
    ['outcome'],
  ),
}

const gateway = {
  berth_http_requests_total: counter(
    'Requests answered, by route and status; 499 where the client left first.',
    ['route', 'code'],
  ),
  berth_http_inflight: gauge('Requests that are being answered.'),
  berth_http_request_duration_seconds: histogram(
    'From the head of a request to the last byte of its answer.',
    ['route'],
    [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600],
  ),
  berth_gateway_retries_total: counter(
    'Requests tried again before their first byte, by what went wrong.',
    ['reason'],
  ),
  berth_gateway_first_token_seconds: histogram(
    'From sending a request to a pool to the first byte of its answer.',
    [],
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  ),
  berth_gateway_auth_failures_total: counter(
    'Requests not let in: without a key, with an unknown one, or with one that may not do this.',
    ['reason'],
  ),
  berth_gateway_releases_dropped_total: counter(
    'Releases dropped before core said that it has stored what they cost.',
  ),
  berth_gateway_session_up: gauge('1 while the gateway has a session with the leading core.'),
  berth_gateway_body_bytes: gauge('Bytes of request bodies held.'),
}

const agent = {
  kv_cache_usage_ratio: gauge(
    'Used share of a KV cache that its engine reserved. Absent where it does not say.',
    PLACED,
  ),
  gpu_utilization: gauge(
    'Utilization of each GPU of a pool, in percent. Absent where the host cannot tell.',
    [...PLACED, 'device'],
  ),
  vram_used_bytes: gauge(
    'Used memory of each GPU of a pool, by whomever. Absent where the host cannot tell.',
    [...PLACED, 'device'],
  ),
  berth_device_memory_total_bytes: gauge(
    'Memory of a device: video memory, RAM of the cpu. Absent where the host cannot tell.',
    ['device'],
  ),
  berth_device_memory_free_bytes: gauge('Free memory of a device. Absent as its total is.', [
    'device',
  ]),
  berth_device_memory_available_bytes: gauge(
    'What a new model may count on: free memory, less what is booked and not used yet.',
    ['device'],
  ),
  berth_ledger_bytes: gauge(
    'Memory of a device that engines hold by state: reserved, observed, releasing.',
    ['device', 'state'],
    { isAdditive: true },
  ),
  berth_vram_estimate_error_ratio: gauge(
    'How far the estimate of the last load of a pool was from what it took; 0.1 is a tenth.',
    ['pool_id'],
  ),
  berth_device_utilization_percent: gauge(
    'Utilization of a GPU. Absent where the host cannot tell, as under MIG.',
    ['device'],
  ),
  berth_device_temperature_celsius: gauge(
    'Temperature of a GPU. Absent where the host cannot tell.',
    ['device'],
  ),
  berth_device_fault: gauge('1 while a device cannot be used.', ['device']),
  berth_pools_file_reads_total: counter(
    'Readings of the pools file after the first: applied, unchanged, or refused as wrong.',
    ['outcome'],
  ),
  berth_pools_file_refused: gauge(
    '1 while the pools file on disk is wrong and an earlier one holds.',
  ),
  berth_pool_ready: gauge('1 while the pool takes requests.', ['pool_id']),
  berth_pool_slots_total: gauge('Requests the engine runs at once.', ['pool_id'], {
    isAdditive: true,
  }),
  berth_pool_slots_free: gauge('Slots not in use.', ['pool_id'], { isAdditive: true }),
  berth_pool_active_leases: gauge('Slots in use.', ['pool_id'], { isAdditive: true }),
  berth_pool_vram_total_bytes: gauge(
    'Memory of the GPUs of a pool. Absent for a pool on the CPU, or where a GPU cannot tell.',
    ['pool_id'],
  ),
  berth_pool_vram_free_bytes: gauge(
    'Free memory of the GPUs of a pool. Absent as berth_pool_vram_total_bytes is.',
    ['pool_id'],
  ),
  berth_pool_transitions_total: counter('Changes of state of a pool.', ['pool_id', 'from', 'to']),
  berth_pool_restarts_total: counter('Restarts of an engine, by the crash that led to them.', [
    'pool_id',
    'reason',
  ]),
  berth_pool_backoffs_total: counter('Waits before a restart.', ['pool_id']),
  berth_pool_backoff_seconds: gauge('Wait before the next restart; 0 when none.', ['pool_id']),
  berth_breaker_state: gauge('1 while the restart breaker is open.', ['pool_id']),
  berth_probe_failures_total: counter('Health checks that failed.', ['pool_id']),
  berth_ingress_refusals_total: counter('Requests the ingress refused.', ['pool_id', 'reason']),
  berth_ingress_requests_total: counter('Requests relayed to an engine, by how they ended.', [
    'pool_id',
    'outcome',
  ]),
  berth_ingress_tokens_total: counter('Tokens engines reported, by direction.', [
    'pool_id',
    'direction',
  ]),
  berth_orphaned_gpu_seconds_total: counter(
    'Time engines worked for a client that had left, where leaving does not end a generation.',
    ['pool_id'],
  ),
  berth_drain_seconds: histogram(
    'From the start of a drain to its end.',
    ['pool_id'],
    [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600],
  ),
  berth_model_load_seconds: histogram(
    'From the start of an engine until it takes requests.',
    ['engine'],
    [0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1_200],
  ),
  berth_ingress_inflight: gauge('Requests at the engine.', ['pool_id'], { isAdditive: true }),
}

const process = {
  process_resident_memory_bytes: gauge('Resident memory of the process.'),
  process_cpu_seconds_total: counter('User and system time of the process.'),
  process_open_handles: gauge('Resources that keep the event loop busy.'),
  process_start_time_seconds: gauge('Start of the process, Unix time.'),
  process_event_loop_delay_seconds: gauge(
    'How late timers fire: the delay of the event loop, over the last one to two minutes.',
    ['quantile'],
  ),
}

const ownedBy = <S extends Readonly<Record<string, Omit<SeriesSpec, 'owner'>>>>(
  owner: SeriesSpec['owner'],
  series: S,
): { readonly [N in keyof S]: S[N] & { readonly owner: SeriesSpec['owner'] } } =>
  Object.fromEntries(Object.entries(series).map(([name, each]) => [name, { ...each, owner }])) as {
    readonly [N in keyof S]: S[N] & { readonly owner: SeriesSpec['owner'] }
  }

/**
 * Every series of the project. Nothing else can be created. Names without the `berth_` prefix are
 * the seeds' contract (llama-orch 4.1); ours are in base units.
 */
export const SERIES = {
  ...ownedBy('orchestrator-core', core),
  ...ownedBy('orchestratord', gateway),
  ...ownedBy('pool-managerd', agent),
  ...ownedBy('every', process),
}

/** The name of a series that exists. */
export type SeriesName = keyof typeof SERIES

/** Names of one type. */
export type SeriesOf<T extends SeriesSpec['type']> = {
  [N in SeriesName]: (typeof SERIES)[N]['type'] extends T ? N : never
}[SeriesName]

/** Every label of a series and its value. */
export type LabelsOf<N extends SeriesName> = Readonly<
  Record<(typeof SERIES)[N]['labels'][number], string>
>
