import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { followEngineLogs, type EngineLogs } from './engine-logs.ts'
import { perform, type TrafficEntry } from './perform.ts'
import { planRequest, type Mix, type TrafficModel } from './plan-request.ts'
import { reportOf, type TrafficReport } from './report.ts'

/** Traffic and its bounds. Durations in milliseconds. */
export interface TrafficOptions {
  /** `http://host:port`, each request to one of them. */
  readonly gateways: readonly string[]
  /** Admin URLs of the simulated engines, to reconcile with; without them headers must do. */
  readonly engines?: readonly string[]
  readonly models: readonly TrafficModel[]
  /** Default: 5 streams, 3 whole answers, 1 slow reader, 1 leaver in ten. */
  readonly mix?: Partial<Mix>
  /** Clients at once, each with one request after the other. */
  readonly concurrency: number
  /** The same seed plans the same requests. */
  readonly seed: number
  /** Lengths of answers in tokens. Default 20 to 80. */
  readonly tokens?: { readonly min: number; readonly max: number }
  /** Called with each request as it ends. */
  readonly log?: (entry: TrafficEntry) => void
  /** A connection that is refused goes to the next gateway. Default false: it has failed. */
  readonly failsOver?: boolean
  /** Default 60,000: an answer that takes longer has failed. */
  readonly requestTimeoutMs?: number
  /** Default 5,000: an added wait from which on a request counts as late. */
  readonly lateMs?: number
  /** Rest of a slow reader after each piece. Default 30. */
  readonly slowPauseMs?: number
  /** Traffic ends by itself after so many requests or so long. Defaults 20,000 and 180,000. */
  readonly maxRequests?: number
  readonly maxDurationMs?: number
}

/** Running traffic. Disposing stops it. */
export interface Traffic extends AsyncDisposable {
  /** What has ended until now, without the engines' side. */
  snapshot(): TrafficReport
  /** Sends nothing new, waits for what is in flight and asks the engines. Repeats are harmless. */
  stop(): Promise<TrafficReport>
  /** Resolves when it has ended, by `stop` or at its bounds. */
  readonly ended: Promise<TrafficReport>
}

const DEFAULT_MIX: Mix = { stream: 5, whole: 3, slow: 1, leave: 1 }
/** After a failure a client waits so long before its next request, so that it does not spin. */
const AFTER_FAILURE_MS = 50
const NO_LOGS: EngineLogs = { records: [], hasGaps: true }

/** Starts clients that go on until `stop`, or until their bounds. They never retry. */
export const startTraffic = (options: TrafficOptions): Traffic => {
  const { lateMs = 5_000, maxRequests = 20_000, maxDurationMs = 180_000, seed } = options
  const entries: TrafficEntry[] = []
  const endsAtMs = performance.now() + maxDurationMs
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const planning = {
    seed,
    models: options.models,
    mix: { ...(options.mix ? NO_MIX : DEFAULT_MIX), ...options.mix },
    gatewayCount: options.gateways.length,
    tokens: options.tokens ?? { min: 20, max: 80 },
    leaveWithinMs: 1_000,
  }
  const performing = {
    gateways: options.gateways,
    agent,
    timeoutMs: options.requestTimeoutMs ?? 60_000,
    slowPauseMs: options.slowPauseMs ?? 30,
    failsOver: options.failsOver ?? false,
  }
  const logs = followEngineLogs(
    options.engines ?? [],
    (id) => id?.startsWith(`traffic-${seed}-`) ?? false,
  )
  let planned = 0
  let isStopping = false

  const isOver = () => isStopping || planned >= maxRequests || performance.now() > endsAtMs
  const client = async () => {
    while (!isOver()) {
      const entry = await perform(planRequest(planning, planned++), performing)
      entries.push(entry)
      options.log?.(entry)
      if (entry.verdict.kind === 'failed') await pause(AFTER_FAILURE_MS)
    }
  }
  const clients = Promise.all(Array.from({ length: options.concurrency }, client))
  const finish = async () => {
    await clients
    agent.destroy()
    return reportOf(entries, await logs.finish(), lateMs)
  }
  const ended = finish()
  const stop = () => {
    isStopping = true
    return ended
  }
  return {
    snapshot: () => reportOf([...entries], NO_LOGS, lateMs),
    stop,
    ended,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

const NO_MIX: Mix = { stream: 0, whole: 0, slow: 0, leave: 0 }
