import type { Fleet } from './fleet.ts'
import { until } from './until.ts'

/** An operation as the API tells it. */
export interface OperationView {
  readonly operation_id: string
  readonly operation_type: string
  readonly status: string
  readonly progress_percent: number
  readonly model_id: string | null
  readonly backend_id: string
  readonly host_id: string
  readonly rolled_back: boolean
  readonly steps: readonly { readonly name: string; readonly completed_at: string | null }[]
  readonly error_details: { readonly code: string; readonly message: string } | null
}

/** What these tests read of a pool. */
export interface OperatedPool {
  readonly ready: boolean
  readonly draining: boolean
  readonly state: string
  readonly model_id: string | null
  readonly instance_id: string | null
  readonly pid: number | null
  readonly last_error: string | null
  readonly active_leases: number
  readonly current_operation: OperationView | null
  readonly transitions: readonly { readonly to: string; readonly reason: string }[]
  readonly restarts: readonly unknown[]
}

/** Who operates the pools of a fleet over HTTP. */
export interface Operator {
  post(path: string, body?: object, headers?: Record<string, string>): Promise<Response>
  /** A command that is taken; its operation. */
  command(pool: string, command: string, body?: object): Promise<OperationView>
  /**
   * Waits for the end of an operation, and until the pool is told without it: the agent answers for
   * the one, its next snapshot for the other.
   */
  ended(operation: OperationView): Promise<OperationView>
  pool(id: string): Promise<OperatedPool>
  /** Waits until a pool is so. */
  poolIs(id: string, what: string, isSo: (pool: OperatedPool) => boolean): Promise<OperatedPool>
}

const OVER = ['completed', 'failed', 'cancelled']

export const operatorOf = (fleet: Fleet): Operator => {
  const post: Operator['post'] = (path, body, headers = {}) =>
    fetch(fleet.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const pool = (id: string) => fleet.get<OperatedPool>(`/v1/pools/${id}`)
  return {
    post,
    pool,
    command: async (id, command, body = {}) => {
      const answer = await post(`/v1/pools/${id}/${command}`, body)
      const json = (await answer.json()) as OperationView
      if (answer.status !== 202) throw new Error(`${command}: ${JSON.stringify(json)}`)
      return json
    },
    ended: ({ operation_id: id, backend_id: poolId }) =>
      until(`operation ${id} ends`, async () => {
        const now = await fleet.get<OperationView>(`/v1/operations/${id}`)
        if (!OVER.includes(now.status)) return undefined
        const { current_operation: current } = await pool(poolId)
        return current?.operation_id === id ? undefined : now
      }),
    poolIs: (id, what, isSo) =>
      until(`pool ${id} is ${what}`, async () => {
        const now = await pool(id)
        return isSo(now) ? now : undefined
      }),
  }
}
