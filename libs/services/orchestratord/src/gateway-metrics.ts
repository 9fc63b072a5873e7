import type { Metrics } from '@berth/runtime'
import type { SessionState } from './session.ts'

/** The gateway's own series. Label values come from fixed sets only. */
export const createGatewayMetrics = (metrics: Metrics) => {
  const requests = metrics.counter({
    name: 'berth_http_requests_total',
    help: 'Requests answered, by route and status; 499 where the client left first.',
    labelNames: ['route', 'code'],
  })
  const inflight = metrics.gauge({
    name: 'berth_http_inflight',
    help: 'Requests that are being answered.',
  })
  const retries = metrics.counter({
    name: 'berth_gateway_retries_total',
    help: 'Requests tried again before their first byte, by what went wrong.',
    labelNames: ['reason'],
  })
  const firstByte = metrics.histogram({
    name: 'berth_gateway_first_token_seconds',
    help: 'From sending a request to a pool to the first byte of its answer.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  })
  const duration = metrics.histogram({
    name: 'berth_http_request_duration_seconds',
    help: 'From the head of a request to the last byte of its answer.',
    labelNames: ['route'],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600],
  })
  const session = metrics.gauge({
    name: 'berth_gateway_session_up',
    help: '1 while the gateway has a session with the leading core.',
  })
  const bodies = metrics.gauge({
    name: 'berth_gateway_body_bytes',
    help: 'Bytes of request bodies held.',
  })
  return {
    onRequest: () => inflight.inc(),
    onResponse: (route: string, code: number, ms: number) => {
      inflight.dec()
      requests.inc({ route, code })
      duration.observe({ route }, ms / 1_000)
    },
    onRetry: (reason: string) =>
      retries.inc({ reason: RETRY_REASONS.has(reason) ? reason : 'other' }),
    onFirstByte: (ms: number) => firstByte.observe(ms / 1_000),
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
