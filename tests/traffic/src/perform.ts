import type { Agent } from 'node:http'
import { judge, type Verdict } from './judge.ts'
import type { RequestKind, RequestPlan } from './plan-request.ts'
import { sendRequest, type Observed } from './send-request.ts'

/** One request in the client's log. Times are on `performance.now()`. */
export interface TrafficEntry {
  readonly correlationId: string
  readonly kind: RequestKind
  readonly isStream: boolean
  readonly model: string
  readonly gateway: string
  /** `X-Berth-Pool`; unknown where the gateway had to open the stream before it knew. */
  readonly pool: string | undefined
  readonly verdict: Verdict
  readonly sentAtMs: number
  readonly firstByteAtMs: number | undefined
  readonly endedAtMs: number
  /** How much longer it took than its tokens need at the engine's pace; of `ok` ones only. */
  readonly addedWaitMs: number | undefined
  /** It had to wait for a slot, by header or by comment. */
  readonly wasQueued: boolean
  /** Gateways that refused the connection before one took it. */
  readonly failedOver: number
}

export interface PerformOptions {
  readonly gateways: readonly string[]
  readonly agent: Agent
  readonly timeoutMs: number
  readonly slowPauseMs: number
  /** Tries the next gateway where a connection is refused: nothing was sent then. */
  readonly failsOver: boolean
}

/** Sends a planned request and judges its answer. */
export const perform = async (
  plan: RequestPlan,
  options: PerformOptions,
): Promise<TrafficEntry> => {
  const { gateways } = options
  const tries = options.failsOver ? gateways.length : 1
  let failedOver = 0
  const gatewayNow = () => gateways[(plan.gateway + failedOver) % gateways.length]!
  let observed = await sendRequest(plan, { ...options, gateway: gatewayNow() })
  const sentAtMs = observed.sentAtMs
  while (observed.ending === 'refused' && failedOver + 1 < tries) {
    failedOver += 1
    observed = await sendRequest(plan, { ...options, gateway: gatewayNow() })
  }
  const verdict = judge(plan, observed)
  return {
    correlationId: plan.correlationId,
    kind: plan.kind,
    isStream: plan.isStream,
    model: plan.model.id,
    gateway: gatewayNow(),
    pool: textOf(observed.headers['x-berth-pool']),
    verdict,
    sentAtMs,
    firstByteAtMs: observed.firstByteAtMs,
    endedAtMs: observed.endedAtMs,
    addedWaitMs: verdict.kind === 'ok' ? addedWaitMs(plan, observed, sentAtMs) : undefined,
    wasQueued:
      observed.events.comments > 0 || Number(observed.headers['x-berth-queue-ms'] ?? 0) > 0,
    failedOver,
  }
}

/** A slow reader waits by its own choice, so only its first byte can be late. */
const addedWaitMs = (plan: RequestPlan, observed: Observed, sentAtMs: number): number => {
  const { tokensPerS = 0, firstTokenMs = 0 } = plan.model
  const decodeMs = tokensPerS > 0 ? (plan.expected.length * 1_000) / tokensPerS : 0
  const isSlow = plan.kind === 'slow'
  const endMs = isSlow ? (observed.firstByteAtMs ?? observed.endedAtMs) : observed.endedAtMs
  return Math.max(0, endMs - sentAtMs - firstTokenMs - (isSlow ? 0 : decodeMs))
}

const textOf = (header: string | string[] | undefined) =>
  Array.isArray(header) ? header[0] : header
