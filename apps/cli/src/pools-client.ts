import { askGateway } from './ask-gateway.ts'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { credentials, reach, refuseFailure } from './gateway-client.ts'
import type { Gateway } from './placement-client.ts'

/** A pool as `GET /v1/pools/{id}` shows it; only what the command line reads. */
export interface PoolDetail {
  readonly id: string
  readonly host_id: string
  readonly engine: string
  readonly engine_version: string | null
  readonly mode: string
  readonly state: string
  readonly state_reason: string | null
  readonly service_state: string
  readonly ready: boolean
  readonly degraded: boolean
  readonly ineligible_reason: string | null
  readonly last_error: string | null
  readonly model_id: string | null
  readonly device_mask: readonly string[]
  readonly devices?: readonly DeviceDetail[]
  readonly last_check?: CheckDetail | null
  readonly slots_total: number
  readonly slots_free: number
  readonly active_leases: number
  readonly pid: number | null
  readonly up_since: string | null
  readonly restart_count: number
  readonly perf_tokens_per_s: number | null
  readonly models?: readonly ModelOfPool[]
  readonly asleep?: boolean
  readonly loading?: Partial<LoadDetail> | null
  readonly transitions: readonly Transition[]
  readonly current_operation: OperationDetail | null
}

/** A device of a pool; null is what nobody could measure. */
export interface DeviceDetail {
  readonly device_id: string
  readonly name: string
  readonly vram_total_bytes: number | null
  readonly vram_free_bytes: number | null
  readonly utilization_percent: number | null
  readonly temperature_c: number | null
}

/** When an engine was asked last, and how it answered. */
export interface CheckDetail {
  readonly at: string
  readonly ok: boolean
  readonly ms: number
  readonly error: string | null
}

/** A model of a pool, and where it is. */
export interface ModelOfPool {
  readonly model_id: string
  readonly residency: string
  readonly active_requests: number
  readonly memory_bytes: number | null
  readonly gpu_bytes: number | null
  readonly expires_at: string | null
  readonly parent: string | null
}

export interface Transition {
  readonly at: string
  readonly from: string
  readonly to: string
  readonly reason: string
}

/** An operation as `GET /v1/operations/{id}` shows it. */
export interface OperationDetail {
  readonly operation_id: string
  readonly operation_type: string
  readonly status: string
  readonly progress_percent: number
  readonly step: string | null
  readonly model_id: string | null
  readonly model_ref?: string | null
  /** The pool it is about; null where it is about a host. */
  readonly backend_id: string | null
  readonly initiated_at: string
  readonly completed_at: string | null
  readonly error_details: { readonly code: string; readonly message: string } | null
  /** Of a load or a pull: how far it has come. */
  readonly load?: LoadDetail
  /** Of a bench, once it has measured something. */
  readonly measurements?: readonly MeasurementDetail[]
}

/** How far a model has come on its way to a host or into an engine. */
export interface LoadDetail {
  /** Such as `download` or `weights`. */
  readonly status: string
  readonly progress_percent: number
  readonly bytes_downloaded: number | null
  readonly total_bytes: number | null
  readonly is_progress_known: boolean
  readonly eta_ms: number | null
}

/** How an engine does with prompts of one length and so many requests at once. */
export interface MeasurementDetail {
  readonly prompt_tokens: number
  readonly concurrency: number
  readonly runs: number
  readonly failed: number
  readonly first_token_p50_ms: number
  readonly first_token_p95_ms: number
  readonly tokens_per_s: number
  readonly total_tokens_per_s: number
}

/** All pools. Rejects with a `CliError`, as all of these do. */
export const readPools = async (gateway: Gateway): Promise<readonly PoolDetail[]> =>
  (await askGateway<{ readonly data: readonly PoolDetail[] }>(gateway, '/v1/pools')).data

export const readPool = (gateway: Gateway, id: string): Promise<PoolDetail> =>
  askGateway(gateway, pathOf(id))

/** What agents remember of the changes of a pool, the newest first. */
export const readOperations = async (
  gateway: Gateway,
  poolId: string,
): Promise<readonly OperationDetail[]> => {
  const path = `/v1/operations?pool=${encodeURIComponent(poolId)}`
  return (await askGateway<{ readonly data: readonly OperationDetail[] }>(gateway, path)).data
}

export const readOperation = (gateway: Gateway, id: string): Promise<OperationDetail> =>
  askGateway(gateway, `/v1/operations/${encodeURIComponent(id)}`)

/** Asks for a change. The answer is the operation that carries it out. */
export const changePool = (
  gateway: Gateway,
  { id, command, body }: { readonly id: string; readonly command: string; readonly body: object },
): Promise<OperationDetail> =>
  askGateway(gateway, `${pathOf(id)}/${command}`, { method: 'POST', body: JSON.stringify(body) })

/** The last lines of an engine's log. */
export const readLog = async (gateway: Gateway, id: string, lines: number) =>
  (
    await askGateway<{ readonly data: readonly string[] }>(
      gateway,
      `${pathOf(id)}/logs?lines=${lines}`,
    )
  ).data

/** The last lines, and then each as it comes, until the signal of the gateway aborts. */
export async function* followLog(
  { url, signal }: Gateway,
  id: string,
  lines: number,
): AsyncGenerator<string> {
  const response = await reach(`${url}${pathOf(id)}/logs?follow=true&lines=${lines}`, {
    headers: credentials(),
    signal,
  })
  await refuseFailure(response)
  let rest = ''
  let isError = false
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    const parts = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (part.startsWith('event: error')) isError = true
      if (!part.startsWith('data: ')) continue
      const data = part.slice('data: '.length)
      if (isError) throw brokenOff(data)
      yield data
    }
  }
}

/** What the gateway says once there is no status to say it with. */
const brokenOff = (envelope: string) => {
  const { error } = JSON.parse(envelope) as { readonly error?: { readonly message?: string } }
  const message = error?.message ?? 'The log broke off.'
  return new CliError(EXIT.failed, message, 'Look at the pools: ./berth pools ls')
}

const pathOf = (id: string) => `/v1/pools/${encodeURIComponent(id)}`
