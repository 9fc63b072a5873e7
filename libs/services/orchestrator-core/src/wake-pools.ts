import { modelsWaitedFor } from '@berth/admission'
import { freshnessOf, type PoolView } from '@berth/fleet'
import type { ModelId } from '@berth/kernel'
import type { Core } from './core-state.ts'

/** A start that was asked for and is not seen is asked for again after so long. */
const ASK_AGAIN_MS = 10_000

/** States of a pool that has its model, or is about to. */
const COMING: ReadonlySet<PoolView['snapshot']['state']> = new Set([
  ...(['preparing', 'starting', 'ready', 'draining', 'backoff'] as const),
])

/** Starts pools that load on demand for the jobs that wait: one for each model that nobody has. */
export const wakePools = (core: Core): void => {
  for (const modelId of modelsWaitedFor(core.queue)) wakeFor(core, modelId)
}

/**
 * Starts a pool for a model that somebody waits for, where none has it or is on its way to. Of
 * several the one with the most free memory, then the first by name.
 */
export const wakeFor = (core: Core, modelId: ModelId): void => {
  const { role, view, clock, woken } = core
  if (role.kind !== 'leader') return
  const pools = view.poolsOfModel.get(modelId) ?? []
  if (pools.some(({ snapshot }) => COMING.has(snapshot.state))) return
  const now = clock.now()
  const asked = pools.find(({ poolId }) => now - (woken.get(poolId) ?? -Infinity) < ASK_AGAIN_MS)
  if (asked) return
  const [pool] = pools.filter((each) => mayWake(core, each, now)).sort(byRoom)
  if (!pool) return
  woken.set(pool.poolId, now)
  core.effects.startPool(pool)
}

const mayWake = ({ view, policy }: Core, { snapshot, host }: PoolView, now: number): boolean =>
  snapshot.loadsOnDemand === true &&
  snapshot.state === 'stopped' &&
  !host.snapshot.isDraining &&
  freshnessOf(view, host, policy.placement.freshness, now) === 'fresh'

const byRoom = (a: PoolView, b: PoolView): number =>
  b.vramFreeBytes - a.vramFreeBytes || (a.poolId < b.poolId ? -1 : 1)
