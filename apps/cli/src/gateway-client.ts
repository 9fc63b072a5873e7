import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'

/** A pool as `GET /v1/pools` shows it; only what the command line reads. */
export interface PoolView {
  readonly id: string
  readonly engine: string
  readonly state: string
  readonly state_reason?: string | null
  readonly ready: boolean
  readonly model_id?: string | null
  readonly slots_total: number
  readonly slots_free: number
  readonly active_leases: number
  readonly last_error?: string | null
  readonly loading?: LoadView | null
}

/** How far a pool has come with a model; null is what nobody knows. */
export interface LoadView {
  readonly model_id?: string | null
  readonly status?: string
  readonly percent_complete?: number | null
  readonly bytes_downloaded?: number | null
  readonly total_bytes?: number | null
  readonly eta_ms?: number | null
}

const TIMEOUT_MS = 3_000

/**
 * The pools of a fleet, or `undefined` while its gateway does not answer. Rejects with a `CliError`
 * where the gateway asks for a key.
 */
export const listPools = async (url: string): Promise<readonly PoolView[] | undefined> => {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await fetch(`${url}/v1/pools`, { signal, headers: credentials() }).catch(
    // Starting, stopping, or gone.
    () => undefined,
  )
  if (response === undefined) return undefined
  if (isRefused(response)) await refuseFailure(response)
  if (!response.ok) return undefined
  return ((await response.json()) as { readonly data: readonly PoolView[] }).data
}

/** `BERTH_API_KEY`, for gateways that ask for a key. */
export const credentials = (): Record<string, string> => {
  const key = process.env['BERTH_API_KEY']
  return key ? { authorization: `Bearer ${key}` } : {}
}

const isRefused = ({ status }: Response) => status === 401 || status === 403

/**
 * Ids of the models that are served now, or `undefined` while the control plane does not answer.
 * Rejects with a `CliError` (`notRunning`) where there is no gateway.
 */
export const listModels = async (url: string): Promise<readonly string[] | undefined> => {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await reach(`${url}/v1/models`, { signal, headers: credentials() }).catch(
    (error: unknown) => {
      if (signal.aborted) return undefined
      throw error
    },
  )
  if (response === undefined || response.status === 503) return undefined
  await refuseFailure(response)
  const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
  return data.map(({ id }) => id)
}

export interface ChatRequest {
  readonly url: string
  readonly model: string
  readonly message: string
  readonly maxTokens?: number
  readonly signal: AbortSignal
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[]
  readonly error?: { readonly message: string }
}

/** The pieces of a streamed answer as they come. Rejects with a `CliError` when it breaks off. */
export async function* streamChat(chat: ChatRequest): AsyncGenerator<string> {
  const response = await reach(`${chat.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...credentials() },
    signal: chat.signal,
    body: JSON.stringify({
      model: chat.model,
      messages: [{ role: 'user', content: chat.message }],
      stream: true,
      ...(chat.maxTokens === undefined ? {} : { max_tokens: chat.maxTokens }),
    }),
  })
  await refuseFailure(response)
  for await (const line of linesOf(response)) {
    if (!line.startsWith('data:')) continue
    const data = line.slice('data:'.length).trim()
    if (data === '[DONE]') return
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error) throw failed(chunk.error.message)
    const text = chunk.choices?.[0]?.delta?.content
    if (text) yield text
  }
  throw failed('The answer broke off before its end.')
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    const lines = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

/** Fetches. Rejects with a `CliError` (`notRunning`) where there is no gateway. */
export const reach = async (url: string, init: RequestInit): Promise<Response> => {
  try {
    return await fetch(url, init)
  } catch (error) {
    init.signal?.throwIfAborted()
    throw new CliError(
      EXIT.notRunning,
      `No gateway answers at ${new URL(url).origin}.`,
      'Start a fleet with ./berth up, or name a gateway with --url.',
      { cause: error },
    )
  }
}

/** Rejects with a `CliError` that says what the gateway said, unless all is well. */
export const refuseFailure = async (response: Response): Promise<void> => {
  if (response.ok) return
  const body = (await response.json().catch(() => ({}))) as Chunk
  const message = body.error?.message ?? `The gateway answered ${response.status}.`
  if (isRefused(response))
    throw new CliError(EXIT.failed, message, 'Put a key that may do this into BERTH_API_KEY.')
  throw failed(message)
}

const failed = (message: string) =>
  new CliError(EXIT.failed, message, 'Look at the pools: ./berth status')
