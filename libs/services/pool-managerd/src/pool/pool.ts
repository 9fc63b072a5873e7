import type { Cancel } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { EngineDriver, PoolStateKind, Supervised, SupervisionEvent } from '@berth/supervision'
import type { AskProbe } from '../engine/ask-probe.ts'
import type { Instance } from '../engine/instance.ts'
import type { LaunchEnv } from '../engine/launch-instance.ts'
import { createLogRing, type LogRing } from '../engine/log-ring.ts'
import type { AgentMetrics } from '../metrics.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { AgentEvents } from '../publish/agent-events.ts'
import type { Check } from './ask-all.ts'
import { foldSample, type PerformanceHint, type Sample } from './performance.ts'
import { createSlots, type Slots } from './slots.ts'
import { createSupervisor } from './supervisor.ts'

/** One pool of this host: its engine, its slots, and what is known of both. */
export interface Pool extends Disposable {
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  readonly supervised: Supervised
  readonly instance: Instance | undefined
  readonly slots: Slots
  readonly ring: LogRing
  readonly lastCheck: Check | undefined
  readonly performance: PerformanceHint | undefined
  dispatch(event: SupervisionEvent): void
  recordSample(sample: Sample): void
  /** Calls `fn` after every change of the pool's state. */
  onChange(fn: () => void): Cancel
}

export interface PoolOptions {
  readonly spec: PoolSpec
  readonly driver: EngineDriver
  readonly log: Logger
  readonly askProbe: AskProbe
  readonly env: LaunchEnv
  readonly metrics: AgentMetrics
  readonly events: AgentEvents
  /** The snapshot is out of date; `isUrgent` when placement depends on it. */
  onSnapshotChange(isUrgent: boolean): void
}

const kindsThatServe: ReadonlySet<PoolStateKind> = new Set(['ready', 'draining'])

export const createPool = (options: PoolOptions): Pool => {
  const { spec, driver, metrics, events } = options
  const { poolId } = spec
  const log = options.log.child({
    pool_id: poolId,
    engine: spec.engine.engine,
    model_id: spec.engine.modelId,
    device_mask: spec.devices,
  })
  const listeners = new Set<() => void>()
  const ring = createLogRing()
  const slots = createSlots(spec.engine.slots, () => options.onSnapshotChange(false))
  let lastCheck: Check | undefined
  let performance: PerformanceHint | undefined

  const supervisor = createSupervisor({
    spec,
    driver,
    ring,
    log,
    askProbe: options.askProbe,
    env: options.env,
    hooks: {
      onChange: () => {
        options.onSnapshotChange(true)
        for (const listener of [...listeners]) listener()
      },
      onTransition: (effect) => {
        const { from, to, reason, instanceId } = effect
        const { history, lastError } = supervisor.supervised
        log.info(
          {
            from,
            to,
            reason,
            instance_id: instanceId,
            restart_count: history.total,
            last_error: lastError,
          },
          'pool changed state',
        )
        metrics.transitions.inc({ pool_id: poolId, from, to })
        events.poolTransition(poolId, effect)
      },
      onInstanceEnded: (effect) => {
        const { report, backoffMs } = effect
        log.error(
          { crash_kind: report.kind, backoff_ms: backoffMs, last_error: report.message },
          'engine ended',
        )
        if (backoffMs !== undefined) {
          metrics.backoffs.inc({ pool_id: poolId })
          metrics.restarts.inc({ pool_id: poolId, reason: report.kind })
        }
        events.instanceExited(poolId, effect)
      },
      onChecked: (check) => {
        lastCheck = check
        const { result } = check
        const isGood = result.verdict === 'healthy' || result.verdict === 'degraded'
        // An engine that loads is no failure: it refuses connections for minutes.
        const isServing = kindsThatServe.has(supervisor.supervised.state.kind)
        if (!isGood && isServing) metrics.probeFailures.inc({ pool_id: poolId })
        if (isGood && result.slots !== undefined && !spec.hasOwnSlots) slots.resize(result.slots)
      },
      abortRequests: () => {
        for (const lease of slots.leases) lease.abort()
      },
      whenIdle: (fn) => slots.whenIdle(fn),
      isIdle: () => slots.active === 0,
    },
  })
  return {
    spec,
    driver,
    slots,
    ring,
    get supervised() {
      return supervisor.supervised
    },
    get instance() {
      return supervisor.instance
    },
    get lastCheck() {
      return lastCheck
    },
    get performance() {
      return performance
    },
    dispatch: supervisor.dispatch,
    recordSample: (sample) => {
      performance = foldSample(performance, sample)
      options.onSnapshotChange(false)
    },
    onChange: (fn) => {
      listeners.add(fn)
      return () => listeners.delete(fn)
    },
    [Symbol.dispose]: () => {
      supervisor[Symbol.dispose]()
      listeners.clear()
    },
  }
}
