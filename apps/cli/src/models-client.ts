import { askGateway } from './ask-gateway.ts'
import type { Gateway } from './placement-client.ts'
import type { OperationDetail } from './pools-client.ts'

/** The model files of one host as `GET /v1/model-files` shows them. */
export interface HostFiles {
  readonly host_id: string
  readonly disk: {
    readonly root: string
    readonly total_bytes: number
    readonly free_bytes: number
    readonly models_bytes: number
  } | null
  readonly models: readonly ModelFile[]
}

export interface ModelFile {
  readonly model_ref: string
  readonly path: string
  readonly size_bytes: number
  readonly complete: boolean
  readonly bytes_downloaded: number
  readonly last_used_at: string | null
  readonly pool_ids: readonly string[]
  readonly architecture: string | null
  readonly quantization: string | null
  readonly parameters: number | null
}

/** What a model would take in one pool. */
export interface Fit {
  readonly host_id: string
  readonly pool_id: string
  readonly model_id: string | null
  /** Null: nobody can tell; `reason` says why. */
  readonly fits: boolean | null
  readonly reason: string | null
  readonly basis: string | null
  readonly required_bytes: number | null
  readonly host_bytes: number | null
  readonly correction: number | null
  readonly terms: readonly {
    readonly name: string
    readonly bytes: number
    readonly formula: string
  }[]
  readonly devices: readonly {
    readonly device_id: string
    readonly required_bytes: number
    readonly available_bytes: number | null
    readonly total_bytes: number | null
    readonly headroom_bytes: number
  }[]
  readonly evictable_model_ids: readonly string[]
}

interface Answered<T> {
  readonly data: readonly T[]
  readonly silent_hosts: readonly string[]
}

/** A header may stand elsewhere, and a removal be of many files. */
const SLOW_MS = 15_000

/** Files of all hosts, or of one. Rejects with a `CliError`, as all of these do. */
export const readHostFiles = (gateway: Gateway, host?: string): Promise<Answered<HostFiles>> =>
  askGateway(gateway, `/v1/model-files${host === undefined ? '' : `?host=${encode(host)}`}`)

export const readHostIds = async (gateway: Gateway): Promise<readonly string[]> => {
  const { data } = await askGateway<Answered<{ readonly id: string }>>(gateway, '/v1/hosts')
  return data.map(({ id }) => id)
}

export const pullFiles = (
  gateway: Gateway,
  host: string,
  body: { readonly model_ref: string; readonly digest?: string },
): Promise<OperationDetail> =>
  askGateway(gateway, `/v1/hosts/${encode(host)}/models/pull`, post(body))

export const removeFiles = (
  gateway: Gateway,
  host: string,
  ref: string,
): Promise<{ readonly host_id: string; readonly freed_bytes: number }> =>
  askGateway(gateway, `/v1/hosts/${encode(host)}/models?ref=${encode(ref)}`, {
    ...{ method: 'DELETE', timeoutMs: SLOW_MS },
  })

export const readFits = (
  gateway: Gateway,
  body: { readonly model_ref?: string; readonly pool_id?: string },
): Promise<Answered<Fit>> => askGateway(gateway, '/v1/models/fit', post(body))

export const loadIntoPool = (
  gateway: Gateway,
  pool: string,
  body: object,
): Promise<OperationDetail> => askGateway(gateway, `/v1/pools/${encode(pool)}/models`, post(body))

export const unloadFromPool = (
  gateway: Gateway,
  { pool, model, query }: { readonly pool: string; readonly model: string; readonly query: string },
): Promise<OperationDetail> =>
  askGateway(gateway, `/v1/pools/${encode(pool)}/models/${encode(model)}${query}`, {
    method: 'DELETE',
  })

const post = (body: object) => ({
  ...{ method: 'POST', body: JSON.stringify(body), timeoutMs: SLOW_MS },
})

const encode = encodeURIComponent
