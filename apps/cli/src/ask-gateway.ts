import { credentials, reach, refuseFailure } from './gateway-client.ts'
import type { Gateway } from './placement-client.ts'

const TIMEOUT_MS = 10_000

/** One question to a gateway, answered in JSON. Rejects with a `CliError`. */
export const askGateway = async <T>(
  { url, signal }: Gateway,
  path: string,
  { timeoutMs = TIMEOUT_MS, ...init }: RequestInit & { readonly timeoutMs?: number } = {},
): Promise<T> => {
  const response = await reach(url + path, {
    ...init,
    headers: { 'content-type': 'application/json', ...credentials() },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  await refuseFailure(response)
  return (await response.json()) as T
}
