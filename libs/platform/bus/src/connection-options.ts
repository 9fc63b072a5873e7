import { credsAuthenticator, type NodeConnectionOptions } from '@nats-io/transport-node'

/** How a client proves who it is. `creds` is the content of a NATS credentials file. */
export type BusCredentials =
  | { readonly user: string; readonly password: string }
  | { readonly token: string }
  | { readonly creds: Uint8Array }

/**
 * Reconnect for ever, and find out within 6 s that a server is frozen (two pings of 2 s and the
 * wait for the third).
 */
export const connectionOptions = (options: {
  readonly url: string
  readonly name: string
  readonly credentials?: BusCredentials
}): NodeConnectionOptions => {
  const urls = options.url.split(',').map((url) => new URL(url.trim()))
  const [first] = urls
  return {
    servers: urls.map(({ host }) => host),
    name: options.name,
    timeout: 2000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 200,
    pingInterval: 2000,
    maxPingOut: 2,
    // A server that refuses us today may be repaired tomorrow.
    ignoreAuthErrorAbort: true,
    ...(first?.protocol === 'tls:' ? { tls: {} } : {}),
    ...(options.credentials ? proof(options.credentials) : proofInUrl(first)),
  }
}

const proof = (credentials: BusCredentials): NodeConnectionOptions => {
  if ('creds' in credentials) return { authenticator: credsAuthenticator(credentials.creds) }
  if ('token' in credentials) return { token: credentials.token }
  return { user: credentials.user, pass: credentials.password }
}

/** `nats://user:password@host`, or `nats://token@host`. */
const proofInUrl = (url: URL | undefined): NodeConnectionOptions => {
  if (!url?.username) return {}
  const user = decodeURIComponent(url.username)
  return url.password ? { user, pass: decodeURIComponent(url.password) } : { token: user }
}
