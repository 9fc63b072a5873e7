import { expect, it } from '@jest/globals'
import { seededRng } from '@berth/kernel'
import fc from 'fast-check'
import type { Effect } from './effect.ts'
import { LOAD_PHASES } from './load-step.ts'
import type { Step } from './move.ts'
import { DEFAULT_POLICY } from './policy.ts'
import type { PoolStateKind } from './pool-state.ts'
import { step } from './step.ts'
import { TRANSITIONS_KEPT, newSupervised } from './supervised.ts'
import type { SupervisionEvent, TimerName } from './supervision-event.ts'
import { addressOf } from './testing/sample-events.ts'

/** Where each state may lead. Whatever comes, no other transition happens. */
const LEGAL: Readonly<Record<PoolStateKind, readonly PoolStateKind[]>> = {
  stopped: ['preparing', 'starting', 'failed'],
  preparing: ['starting', 'stopping', 'backoff', 'failed', 'stopped', 'preparing'],
  starting: ['ready', 'draining', 'stopping', 'crashed', 'stopped', 'preparing', 'failed'],
  ready: ['draining', 'stopping', 'crashed', 'starting', 'stopped', 'preparing', 'failed'],
  draining: [
    'draining',
    'ready',
    'stopping',
    'crashed',
    'starting',
    'stopped',
    'preparing',
    'failed',
  ],
  stopping: ['stopped', 'preparing', 'failed'],
  crashed: ['backoff', 'failed', 'stopped', 'preparing'],
  backoff: ['preparing', 'stopped', 'failed'],
  failed: ['preparing', 'stopped', 'failed', 'backoff'],
}

const report = fc.record({
  kind: fc.constantFrom('exit', 'device_error', 'start_timeout', 'stopped', 'bad_option'),
  message: fc.constant('It ended.'),
  isRetriable: fc.boolean(),
})
const verdict = fc.constantFrom('healthy', 'degraded', 'loading', 'unhealthy', 'unknown')

const command = fc.oneof(
  fc.record({ kind: fc.constant('start') }),
  fc.record({ kind: fc.constantFrom('stop', 'restart'), drainMs: fc.constantFrom(0, 1_000) }),
  fc.record({
    kind: fc.constant('drain'),
    deadlineMs: fc.constant(1_000),
    onDeadline: fc.constantFrom('force', 'abort'),
  }),
  fc.record({
    kind: fc.constant('reload'),
    model: fc.constantFrom('', 'b', 'c'),
    deadlineMs: fc.constantFrom(0, 1_000),
    onDeadline: fc.constantFrom('force', 'abort'),
  }),
  fc.record({ kind: fc.constantFrom('undrain', 'reset_restarts', 'device_ok', 'busy') }),
  fc.record({ kind: fc.constant('device_fault'), message: fc.constantFrom('Lost.', 'Reset it.') }),
  fc.constant({ kind: 'adopt', adopted: { instanceId: 'of-an-earlier-life' } }),
)
const ofInstance = fc.oneof(
  fc.record({ kind: fc.constant('staged'), model: fc.constantFrom('b', 'c') }),
  fc.record({ kind: fc.constant('stage_failed'), model: fc.constantFrom('b', 'c'), report }),
  fc.record({ kind: fc.constantFrom('launched', 'output', 'gone', 'idle') }),
  fc.record({ kind: fc.constantFrom('exited', 'launch_failed'), report }),
  fc.record({
    kind: fc.constant('load_sign'),
    phase: fc.constantFrom(...LOAD_PHASES),
    percent: fc.double({ min: -10, max: 110 }),
  }),
  fc.record({
    kind: fc.constant('stage_sign'),
    model: fc.constantFrom('b', 'c'),
    phase: fc.constant('download'),
    bytesDone: fc.nat(),
  }),
  fc.record({ kind: fc.constant('load_failed'), report }),
  fc.record({
    kind: fc.constant('observed'),
    isBusy: fc.boolean(),
    progress: fc.constantFrom('1', '2'),
  }),
  fc.record({
    kind: fc.constant('probed'),
    result: verdict.map((said) => ({ verdict: said, fact: 'said so' })),
    isListening: fc.boolean(),
    isIdle: fc.boolean(),
  }),
)
const happening = fc.record({
  afterMs: fc.integer({ min: 0, max: 40_000 }),
  event: fc.oneof({ weight: 1, arbitrary: command }, { weight: 4, arbitrary: ofInstance }),
})

/** What a person asked for is no automatic restart. */
const BY_HAND = new Set(['start was asked for', 'reload was asked for'])

const run = (
  happenings: readonly { afterMs: number; event: object }[],
  hasProcess: boolean,
  watch: (event: object, next: Step) => void = () => undefined,
) => {
  const policy = { ...DEFAULT_POLICY, hasProcess }
  const rng = seededRng(happenings.length)
  const effects: { readonly at: number; readonly effect: Effect }[] = []
  const timers = new Map<TimerName, number>()
  let now = 0
  let pool = newSupervised(0)
  const apply = (event: object) => {
    const whole = { ...addressOf(pool), ...event } as SupervisionEvent
    const next = step(pool, whole, { now, rng, policy, poolId: 'a' })
    pool = next.pool
    watch(event, next)
    for (const effect of next.effects) {
      effects.push({ at: now, effect })
      if (effect.kind === 'cancel_timers') timers.clear()
      if (effect.kind === 'arm_timer') timers.set(effect.name, now + effect.ms)
    }
  }
  apply({ kind: 'start' })
  for (const { afterMs, event } of happenings) {
    const until = now + afterMs
    for (;;) {
      const [due] = [...timers].filter(([, at]) => at <= until).sort(([, a], [, b]) => a - b)
      if (!due) break
      timers.delete(due[0])
      now = due[1]
      apply({ kind: 'timer', name: due[0] })
    }
    now = until
    apply(event)
  }
  return { pool, effects }
}

const scenario = [fc.array(happening, { maxLength: 200 }), fc.boolean()] as const

it('[001-TRK-2, 003-TC-06] whatever happens, a pool never makes an illegal transition', () => {
  fc.assert(
    fc.property(...scenario, (happenings, hasProcess) => {
      const { pool, effects } = run(happenings, hasProcess)
      const moves = effects.flatMap(({ effect }) => (effect.kind === 'transitioned' ? effect : []))
      expect(moves.filter(({ from, to }) => !LEGAL[from].includes(to))).toEqual([])
      expect(pool.transitions.length).toBeLessThanOrEqual(TRANSITIONS_KEPT)
    }),
    { numRuns: 500 },
  )
})

it('whatever happens, automatic restarts stay within the intensity in every minute', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      // A person may clear the count; without that, nothing gets around it.
      const { effects } = run(
        happenings.filter(({ event }) => event.kind !== 'reset_restarts'),
        true,
      )
      const restarts = effects.flatMap(({ at, effect }) =>
        effect.kind === 'transitioned' &&
        effect.to === 'preparing' &&
        (effect.from === 'backoff' || effect.from === 'failed') &&
        !BY_HAND.has(effect.reason)
          ? [at]
          : [],
      )
      const { intensity, windowMs } = DEFAULT_POLICY.restart
      for (const [index, first] of restarts.entries())
        expect((restarts[index + intensity] ?? Infinity) - first).toBeGreaterThanOrEqual(windowMs)
    }),
    { numRuns: 500 },
  )
})

it('whatever happens, no instance is launched before the one before it is gone', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      const policy = DEFAULT_POLICY
      const rng = seededRng(1)
      let pool = newSupervised(0)
      const running = new Set<string>()
      let most = 0
      for (const { event } of [{ event: { kind: 'start' } }, ...happenings]) {
        const whole = { ...addressOf(pool), ...event } as SupervisionEvent
        if (whole.kind === 'gone' || whole.kind === 'launch_failed')
          running.delete(whole.instanceId)
        const next = step(pool, whole, { now: 0, rng, policy, poolId: 'a' })
        pool = next.pool
        // What no instance said, or a pool does not take, starts nothing.
        if (next.effects.length > 0 && whole.kind === 'launched') running.add(whole.instanceId)
        if (next.effects.length > 0 && whole.kind === 'adopt') running.add(whole.adopted.instanceId)
        most = Math.max(most, running.size)
      }
      expect(most).toBeLessThanOrEqual(1)
    }),
    { numRuns: 300 },
  )
})

it('whatever happens, nothing takes requests or is launched while its device is at fault', () => {
  fc.assert(
    fc.property(...scenario, (happenings, hasProcess) => {
      let isFaulty = false
      const bad: string[] = []
      const watch = (event: object, { pool, effects }: Step) => {
        const { kind } = event as SupervisionEvent
        if (kind === 'device_fault') isFaulty = true
        if (kind === 'device_ok') isFaulty = false
        if (!isFaulty) return
        if (pool.state.kind === 'ready') bad.push(`ready after ${kind}`)
        if (effects.some((effect) => effect.kind === 'launch')) bad.push(`launch after ${kind}`)
        if (pool.lastError !== pool.deviceFault) bad.push(`${pool.lastError} after ${kind}`)
      }
      run(happenings, hasProcess, watch)
      expect(bad).toEqual([])
    }),
    { numRuns: 500 },
  )
})

const PHASES_OF_OLD = new Set(['drain', 'stage', 'switch', 'roll_back'])

it('[002-11b] whatever happens in a reload, a pool that is ready has an engine of its model', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      const launched = new Map<string, string>()
      const bad: string[] = []
      const watch = (event: object, { pool, effects }: Step) => {
        const { kind } = event as SupervisionEvent
        for (const effect of effects)
          if (effect.kind === 'launch') launched.set(effect.instanceId, effect.model)
        const { state, model, reload } = pool
        if (state.kind === 'ready' && reload) bad.push(`ready in phase ${reload.phase}`)
        if (state.kind === 'stopped' && reload) bad.push(`stopped in phase ${reload.phase}`)
        if (state.kind === 'failed' && reload) bad.push(`failed in phase ${reload.phase}`)
        if (reload && model !== (PHASES_OF_OLD.has(reload.phase) ? reload.from : reload.to))
          bad.push(`model ${model} in phase ${reload.phase} after ${kind}`)
        const served = 'instanceId' in state ? launched.get(state.instanceId) : undefined
        if (state.kind === 'ready' && served !== undefined && served !== model)
          bad.push(`ready with ${served} instead of ${model} after ${kind}`)
      }
      run(happenings, true, watch)
      expect(bad).toEqual([])
    }),
    { numRuns: 1_000 },
  )
})

it('[002-11b] whatever happens, a failed reload ends with the old model serving or with a reason', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (happenings) => {
      const bad: string[] = []
      let before = newSupervised(0)
      const watch = (_event: object, { pool }: Step) => {
        const { state, lastReload: end } = pool
        if (end && end !== before.lastReload && end.outcome !== 'cancelled') {
          if (end.outcome !== 'reloaded' && pool.model !== (before.reload?.from ?? before.model))
            bad.push('model')
          const serves = state.kind === 'ready' || state.kind === 'draining'
          if ((end.outcome === 'lost') === serves) bad.push(`${end.outcome} in ${state.kind}`)
          if (end.outcome !== 'reloaded' && end.message === '') bad.push('no reason')
        }
        before = pool
      }
      run(happenings, true, watch)
      expect(bad).toEqual([])
    }),
    { numRuns: 1_000 },
  )
})
