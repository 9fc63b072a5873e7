/** A key-value bucket. The TTL is the bucket's: nats-server 2.9 knows none per key. */
export interface Bucket {
  readonly name: string
  /** Age at which any entry leaves, in milliseconds. Absent: never. */
  readonly ttlMs?: number
  /** Deadline of one request, in milliseconds. Default 2,000. */
  readonly timeoutMs?: number
}

/** Every bucket there is. */
export const BUCKETS = {
  /** Who leads. Renewed every 500 ms, so a request that takes longer has failed its purpose. */
  leader: { name: 'berth_leader', ttlMs: 2000, timeoutMs: 1000 },
  /** The highest term anyone took. Outlives the lease, so that no term is taken twice. */
  terms: { name: 'berth_terms', timeoutMs: 1000 },
  /** What keys have spent, by day; a day is over for every gateway well before this. */
  budgets: { name: 'berth_budgets', ttlMs: 3 * 24 * 3_600_000 },
  /** Sessions of clients end by themselves; what their leader forgot to end leaves. */
  sessions: { name: 'berth_sessions', ttlMs: 24 * 3_600_000 },
  operations: { name: 'berth_operations' },
  /** The models a fleet may run, by id. */
  catalog: { name: 'berth_catalog' },
} as const satisfies Record<string, Bucket>
