import type { Metrics } from '@berth/runtime'
import type { AuthFailure } from './http/access.ts'
import type { SessionState } from './session.ts'

/** The gateway's own series. Label values come from fixed sets only. */
export const createGatewayMetrics = (metrics: Metrics) => {
  const requests = metrics.counter('berth_http_requests_total')
  const inflight = metrics.gauge('berth_http_inflight')
  const retries = metrics.counter('berth_gateway_retries_total')
  const firstByte = metrics.histogram('berth_gateway_first_token_seconds')
  const duration = metrics.histogram('berth_http_request_duration_seconds')
  const session = metrics.gauge('berth_gateway_session_up')
  const authFailures = metrics.counter('berth_gateway_auth_failures_total')
  const bodies = metrics.gauge('berth_gateway_body_bytes')
  const dropped = metrics.counter('berth_gateway_releases_dropped_total')
  return {
    onUnsettledDropped: () => dropped.inc({}),
    onRequest: () => inflight.inc(),
    onResponse: (route: string, code: number, ms: number) => {
      inflight.dec()
      // Scraping changes nothing.
      if (route === '/metrics') return
      requests.inc({ route, code: String(code) })
      duration.observe({ route }, ms / 1_000)
    },
    onRetry: (reason: string) =>
      retries.inc({ reason: RETRY_REASONS.has(reason) ? reason : 'other' }),
    onAuthFailure: (reason: AuthFailure) => authFailures.inc({ reason }),
    onFirstByte: (ms: number) => firstByte.observe({}, ms / 1_000),
    onSession: (state: SessionState) => session.set(state.kind === 'up' ? 1 : 0),
    onBodyBytes: (bytes: number) => bodies.set(bytes),
  }
}

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>

const RETRY_REASONS: ReadonlySet<string> = new Set([
  'draining',
  'not_ready',
  'no_slot',
  'stale_epoch',
  'stale_term',
  'bad_token',
  'expired',
  'replayed',
  'wrong_pool',
  'unsupported_route',
  'unreachable',
  'broken',
  'revoked',
])
