import type { CrashReport, ProbeResult } from './driver.ts'
import { crash, move, unchanged, type Step } from './move.ts'
import type { PoolState } from './pool-state.ts'
import { enterReady } from './ready.ts'
import type { StepContext, Supervised } from './supervised.ts'
import type { SupervisionEvent } from './supervision-event.ts'

type Probed = Extract<SupervisionEvent, { readonly kind: 'probed' }>
type Starting = Extract<PoolState, { readonly kind: 'starting' }>
type Serving = Extract<PoolState, { readonly kind: 'ready' | 'draining' }>

export const probed = (pool: Supervised, event: Probed, context: StepContext): Step => {
  const { state } = pool
  if (state.kind === 'starting') return whileStarting(pool, state, event, context)
  if (state.kind === 'ready' || state.kind === 'draining')
    return whileServing(pool, state, event, context)
  return unchanged(pool)
}

const whileStarting = (
  pool: Supervised,
  state: Starting,
  { result, isListening }: Probed,
  context: StepContext,
): Step => {
  if (isGood(result))
    return enterReady(
      pool,
      state,
      { reason: 'probes pass', isDegraded: result.verdict === 'degraded' },
      context,
    )
  const { policy } = context
  const lastError = policy.hasProcess ? pool.lastError : result.fact
  const hasSignOfLife = state.hasSignOfLife || isListening
  return {
    pool: { ...pool, lastError, state: { ...state, hasSignOfLife } },
    effects: [
      {
        kind: 'arm_timer',
        name: 'probe',
        ms: policy.hasProcess ? policy.startProbeIntervalMs : policy.probeIntervalMs,
      },
    ],
  }
}

/**
 * A request comes to an engine that was asked seldom, for nothing ran on it: from now on it is
 * asked as often as any that works.
 */
export const busy = (pool: Supervised, { now, policy }: StepContext): Step => {
  const { state } = pool
  if ((state.kind !== 'ready' && state.kind !== 'draining') || state.restsUntil === undefined)
    return unchanged(pool)
  const { restsUntil, ...awake } = state
  const leftMs = restsUntil - now
  return {
    pool: { ...pool, state: awake },
    effects:
      leftMs > policy.probeIntervalMs
        ? [{ kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs }]
        : [],
  }
}

const whileServing = (
  pool: Supervised,
  state: Serving,
  { result, isIdle }: Probed,
  context: StepContext,
): Step => {
  const { policy, now } = context
  const { restsUntil: _, ...serving } = state
  const probeMs = isIdle ? policy.idleProbeIntervalMs : policy.probeIntervalMs
  const rest = probeMs > policy.probeIntervalMs ? { restsUntil: now + probeMs } : {}
  const rearm = [{ kind: 'arm_timer', name: 'probe', ms: probeMs }] as const
  if (isGood(result)) {
    const isDegraded = result.verdict === 'degraded'
    const good = { ...serving, ...rest, failures: 0, isDegraded }
    return { pool: { ...pool, state: good }, effects: rearm }
  }
  const failures = state.failures + 1
  const missed = { ...pool, lastError: result.fact }
  if (failures < policy.maxConsecutiveFailures)
    return {
      pool: { ...missed, state: { ...serving, failures } },
      effects: [{ kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs }],
    }
  if (policy.isFailOpen)
    return {
      pool: { ...missed, state: { ...serving, ...rest, failures, isDegraded: true } },
      effects: rearm,
    }
  return unready(missed, state, unhealthy(result.fact, failures), context)
}

/** Our own process is ended and restarted as after a crash; a watched server is waited for. */
const unready = (
  pool: Supervised,
  { instanceId }: Serving,
  report: CrashReport,
  { now, policy, poolId }: StepContext,
): Step =>
  policy.hasProcess
    ? crash(pool, instanceId, report, { now, poolId, isRunning: true, graceMs: policy.stopGraceMs })
    : move(
        pool,
        { kind: 'starting', instanceId, startedAt: now, hasSignOfLife: false, progressAt: now },
        report.message,
        { now, effects: [{ kind: 'arm_timer', name: 'probe', ms: policy.probeIntervalMs }] },
      )

const unhealthy = (fact: string, failures: number): CrashReport => ({
  kind: 'unhealthy',
  message: `${failures} health checks in a row failed. Last: ${fact}.`,
  isRetriable: true,
})

const isGood = (
  result: ProbeResult,
): result is Extract<ProbeResult, { readonly verdict: 'healthy' | 'degraded' }> =>
  result.verdict === 'healthy' || result.verdict === 'degraded'
