import type { EngineAccess, EngineMetrics } from '@berth/supervision'
import type { Lease } from './slots.ts'

/** What a request in flight does, as the ingress sees it. */
export interface Flow {
  /** Its gateway has not sent, or does not read, what is there: it waits for no engine. */
  readonly isHeldBack: boolean
  /** Parts of an answer that comes in parts have been relayed. */
  readonly hasStreamed: boolean
}

/** What the ingress of a pool has seen. */
export interface Activity {
  /** Bytes of answers, over the life of the pool. */
  readonly relayedBytes: number
  /** Requests that were answered to the end. */
  readonly answered: number
  readonly leases: readonly Pick<Lease, 'flow'>[]
}

/**
 * Whether requests wait for the engine, and a text that changes whenever it does something. A
 * request that arrives or is given up is nothing the engine does. Where counters move only at the
 * end of a request, silence before the first part of an answer proves nothing.
 */
export const judgeActivity = (
  { relayedBytes, answered, leases }: Activity,
  metrics: EngineMetrics,
  { hasLiveCounters = false }: Pick<EngineAccess, 'hasLiveCounters'>,
): { readonly isBusy: boolean; readonly progress: string } => {
  const flows = leases.map((lease) => lease.flow?.() ?? UNKNOWN_FLOW)
  const heldBack = flows.filter(({ isHeldBack }) => isHeldBack).length
  const waiting = flows.filter((flow) => !flow.isHeldBack && (hasLiveCounters || flow.hasStreamed))
  const atEngine = hasLiveCounters ? (metrics.running ?? 0) + (metrics.waiting ?? 0) : 0
  const { promptTokensTotal, generatedTokensTotal, tokensInProgress } = metrics
  return {
    isBusy: waiting.length > 0 || atEngine > heldBack,
    progress: [
      ...[relayedBytes, answered],
      ...[promptTokensTotal, generatedTokensTotal, tokensInProgress].map((value) => value ?? '-'),
    ].join(' '),
  }
}

const UNKNOWN_FLOW: Flow = { isHeldBack: false, hasStreamed: true }
