import type { ProbeResponse, ProbeResult } from '@berth/supervision'

type Answer = Extract<ProbeResponse, { kind: 'answer' }>
type Up = Extract<ProbeResult, { verdict: 'healthy' | 'degraded' }>

const HEALTHY_WITHIN_MS = 1000
const DEGRADED_WITHIN_MS = 5000
const SHOWN_CHARS = 120

/**
 * Turns a probe's response into a verdict: `read` sees only answers with status 200 that came in
 * time. Other answers and refused connections are `unhealthy`; an engine that does not answer in
 * time is `unknown`, as it may be busy.
 */
export const readAnswer = (
  path: string,
  response: ProbeResponse,
  read: (answer: Answer, graded: Up) => ProbeResult,
): ProbeResult => {
  if (response.kind === 'timeout') return { verdict: 'unknown', fact: `${path} timed out` }
  if (response.kind === 'refused') {
    return { verdict: 'unhealthy', fact: `${path}: ${response.error}` }
  }
  const shown = `${path} answered ${response.status} ${response.body.slice(0, SHOWN_CHARS)}`.trim()
  if (response.status === 503 && isLoading(response.body)) {
    return { verdict: 'loading', fact: shown }
  }
  if (response.status === 401 || response.status === 403) {
    return { verdict: 'unhealthy', fact: `${shown}; the engine does not accept our key` }
  }
  if (response.status !== 200) return { verdict: 'unhealthy', fact: shown }
  if (response.tookMs > DEGRADED_WITHIN_MS) {
    return { verdict: 'unknown', fact: `${path} took ${Math.round(response.tookMs)} ms` }
  }
  const isQuick = response.tookMs <= HEALTHY_WITHIN_MS
  return read(response, { verdict: isQuick ? 'healthy' : 'degraded' })
}

/** llama-server says so on every route while it loads (engines.md 1). */
const isLoading = (body: string): boolean => body.includes('Loading model')
