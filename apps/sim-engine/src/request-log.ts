export type Outcome = 'queued' | 'running' | 'done' | 'aborted' | 'dropped'

/** One generation request, as `GET /__sim/state` shows it. */
export interface RequestRecord {
  readonly seq: number
  readonly id: string
  readonly correlation_id: string | null
  readonly route: string
  readonly model: string
  readonly prompt_hash: string
  readonly seed: number
  readonly stream: boolean
  readonly tokens_planned: number
  tokens_sent: number
  /** `aborted`: the client left or the engine stopped; `dropped`: a knob cut the connection. */
  outcome: Outcome
}

export interface RequestLog {
  add(record: RequestRecord): void
  /** The newest `count`, oldest first. */
  last(count: number): readonly RequestRecord[]
}

/** Keeps the newest `capacity` requests. */
export const createRequestLog = (capacity: number): RequestLog => {
  const ring: RequestRecord[] = []
  let next = 0
  return {
    add: (record) => {
      ring[next] = record
      next = (next + 1) % capacity
    },
    last: (count) => {
      const ordered = ring.length < capacity ? ring : [...ring.slice(next), ...ring.slice(0, next)]
      return count === 0 ? [] : ordered.slice(-count)
    },
  }
}

/** Requests that one process remembers. */
export const LOG_CAPACITY = 10_000
