import type { EngineAccess, ProbeResponse, ProbeResult } from '@berth/supervision'

/** How a pool wants its engine to be asked, where it does not leave that to the driver. */
export interface Probing {
  /** Of every probe, whatever the driver says. */
  readonly timeoutMs: number
  /** The standard health check of gRPC instead of the driver's own questions. */
  readonly grpc?: { readonly service: string; readonly port?: number }
}

/** The way to an engine with the questions that its pool wants asked. */
export const withProbing = (access: EngineAccess, probing: Probing | undefined): EngineAccess => {
  if (!probing) return access
  const { timeoutMs, grpc } = probing
  if (!grpc)
    return { ...access, readyProbes: access.readyProbes.map((probe) => ({ ...probe, timeoutMs })) }
  const { service: path, port } = grpc
  const probe = {
    protocol: 'grpc',
    path,
    timeoutMs,
    ...(port === undefined ? {} : { port }),
  } as const
  return { ...access, readyProbes: [probe] }
}

/** Slower than this is degraded (seed 001). */
const HEALTHY_WITHIN_MS = 1_000

/** What the standard health check says. */
export const readGrpcHealth = (path: string, response: ProbeResponse): ProbeResult => {
  const asked = `gRPC health of ${path === '' ? 'the server' : path}`
  if (response.kind === 'timeout') return { verdict: 'unknown', fact: `${asked} timed out` }
  if (response.kind === 'refused')
    return { verdict: 'unhealthy', fact: `${asked}: ${response.error}` }
  if (response.status !== 200) return { verdict: 'unhealthy', fact: `${asked} is ${response.body}` }
  return { verdict: response.tookMs <= HEALTHY_WITHIN_MS ? 'healthy' : 'degraded' }
}
