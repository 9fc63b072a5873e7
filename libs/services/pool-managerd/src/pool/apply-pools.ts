import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '@berth/kernel'
import { stageModel } from '../engine/stage-model.ts'
import type { Host } from '../host.ts'
import { lacksModel } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel, writtenModel } from '../pools-file/with-model.ts'
import { AS_THE_FILE_SAYS, type PoolIntents } from '../state/pool-intents.ts'
import type { PoolModels } from '../state/pool-models.ts'
import { hashOfSpec } from '../state/spec-hash.ts'
import type { Pool } from './pool.ts'
import { startPool, type StartEnv } from './start-pools.ts'
import { untilStopped } from './until-stopped.ts'

/** How many pools of a file are what they were, and what becomes of the others. */
export interface PoolChanges {
  readonly unchanged: readonly string[]
  /** Watched in another way from now on, with the same engine. */
  readonly adjusted: readonly string[]
  /** Drained, ended and started anew. */
  readonly replaced: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** Brings the pools of a running host to what a file says. Ends with the agent. */
export interface PoolsChanger extends Disposable {
  /** Says at once what is about to change, and changes it behind the caller's back. */
  apply(specs: readonly PoolSpec[]): PoolChanges
}

export interface PoolsChangerOptions extends StartEnv {
  readonly host: Host
  readonly intents: PoolIntents
  readonly models: PoolModels
  /** How long requests of a pool that is replaced or removed may take to end. */
  readonly drainMs: number
  /** Why a pool on these devices cannot be served; none while it can. */
  faultOf(devices: readonly string[]): string | undefined
}

/**
 * Each pool is brought towards the newest file by itself: one that drains for minutes holds up no
 * other, but those that wait for its GPUs. A pool that the file leaves as it is is not touched.
 */
export const createPoolsChanger = (options: PoolsChangerOptions): PoolsChanger => {
  const { host, log, drainMs } = options
  const ended = new AbortController()
  const settling = new Map<string, Promise<void>>()
  const leaving = new Map<Pool, Promise<void>>()
  /** Entries whose model cannot be had: the pool serves on as it was. */
  const refused = new WeakSet<PoolSpec>()
  let wanted: ReadonlyMap<string, PoolSpec> = new Map()

  const end = (pool: Pool, why: string): Promise<void> => {
    const operation = host.operations.current(pool.spec.poolId)
    if (operation)
      host.operations.end(operation.operationId, {
        ...{ kind: 'cancelled', reason: 'CANCELLED' },
        message: `The pool was ${why} in the pools file.`,
      })
    const left = untilStopped(pool, drainMs, ended.signal).finally(() => leaving.delete(pool))
    leaving.set(pool, left)
    return left
  }
  /** `entry` is what the file says; a reload may have given the pool another model since. */
  const begin = async (entry: PoolSpec, spec: PoolSpec) => {
    const rivals = [...leaving].filter(([pool]) => shareGpu(pool.spec, spec))
    await Promise.all(rivals.map(([, left]) => left))
    if (wanted.get(spec.poolId) !== entry) return
    const pool = host.put(spec)
    pool.resume()
    const message = options.faultOf(spec.devices)
    if (message !== undefined) pool.dispatch({ kind: 'device_fault', message })
    startPool(pool, options)
  }
  /** Whether the model of the pool may serve as the file has it now; says why not. */
  const stageFor = (pool: Pool, spec: PoolSpec) =>
    stageModel(spec, options.stage, {
      signal: ended.signal,
      onDigest: (digest) => {
        if (spec.modelPath === pool.spec.modelPath) pool.learnDigest(digest)
      },
    })
  const change = async (pool: Pool, entry: PoolSpec, spec: PoolSpec) => {
    const isKept = pool.instance !== undefined && keepsEngine(pool.spec, spec)
    const report =
      pool.instance === undefined || lacksModel(spec) ? undefined : await stageFor(pool, spec)
    if (isKept && !report) return pool.adjust(spec)
    if (report && spec.modelPath !== pool.spec.modelPath) {
      refused.add(entry)
      const facts = { pool_id: spec.poolId, last_error: report.message }
      return log.error(facts, 'changed pool cannot be started: it serves on as it was')
    }
    await end(pool, 'changed')
    forgetModel(pool, spec)
    await begin(entry, spec)
  }
  const remove = async (pool: Pool) => {
    const { poolId } = pool.spec
    await end(pool, 'removed')
    options.intents.keep(poolId, AS_THE_FILE_SAYS)
    forgetModel(pool, undefined)
    host.drop(poolId)
  }
  /** The model that a reload put in the place of the file's is over with what the file said then. */
  const forgetModel = ({ spec }: Pool, next: PoolSpec | undefined) => {
    const written = writtenModel(spec)
    if (spec.modelRef === written || (next && writtenModel(next) === written)) return
    options.models.keep(withModel(spec, written)).catch((error: unknown) => {
      log.error({ pool_id: spec.poolId, error: messageOf(error) }, 'model of a reload is kept')
    })
  }
  const settle = async (poolId: string) => {
    for (;;) {
      const pool = host.pools.get(poolId)
      const entry = wanted.get(poolId)
      if (ended.signal.aborted || (entry && refused.has(entry)) || (!pool && !entry)) return
      if (!entry) {
        await remove(pool!)
        continue
      }
      if (!pool) {
        await begin(entry, entry)
        continue
      }
      const spec = asOf(pool.spec, entry)
      if (isDeepStrictEqual(spec, pool.spec)) return
      await change(pool, entry, spec)
    }
  }
  const settleOnce = (poolId: string) => {
    if (settling.has(poolId)) return
    const done = settle(poolId)
      .catch((error: unknown) => {
        if (ended.signal.aborted) return
        log.error({ pool_id: poolId, error: messageOf(error) }, 'pool was not changed')
      })
      .finally(() => settling.delete(poolId))
    settling.set(poolId, done)
  }
  return {
    apply: (specs) => {
      wanted = new Map(specs.map((spec) => [spec.poolId, spec]))
      const changes = compare(host.pools, wanted)
      for (const poolId of new Set([...host.pools.keys(), ...wanted.keys()])) settleOnce(poolId)
      return changes
    },
    [Symbol.dispose]: () => ended.abort(),
  }
}

const compare = (
  pools: ReadonlyMap<string, Pool>,
  wanted: ReadonlyMap<string, PoolSpec>,
): PoolChanges => {
  const changes = [...pools.values()].flatMap((pool) => {
    const entry = wanted.get(pool.spec.poolId)
    return entry ? [{ poolId: entry.poolId, change: changeOf(pool, asOf(pool.spec, entry)) }] : []
  })
  const of = (change: string) =>
    changes.filter((one) => one.change === change).map(({ poolId }) => poolId)
  return {
    unchanged: of('unchanged'),
    adjusted: of('adjusted'),
    replaced: of('replaced'),
    added: [...wanted.keys()].filter((poolId) => !pools.has(poolId)),
    removed: [...pools.keys()].filter((poolId) => !wanted.has(poolId)),
  }
}

const changeOf = ({ spec: before, instance }: Pool, after: PoolSpec) => {
  if (isDeepStrictEqual(before, after)) return 'unchanged'
  return instance && keepsEngine(before, after) ? 'adjusted' : 'replaced'
}

/**
 * An entry of the file for a pool that is there: with the model of its last reload while the file
 * names the same one as before, and with what is known of its devices.
 */
const asOf = (before: PoolSpec, entry: PoolSpec): PoolSpec => {
  const spec =
    writtenModel(entry) === writtenModel(before) ? withModel(entry, before.modelRef) : entry
  const { deviceUuids = before.deviceUuids } = spec
  return deviceUuids && isDeepStrictEqual(spec.devices, before.devices)
    ? { ...spec, deviceUuids: before.deviceUuids ?? deviceUuids }
    : spec
}

/** A key of a server that we do not run is told to it with every request. */
const keepsEngine = (before: PoolSpec, after: PoolSpec): boolean =>
  hashOfSpec(before) === hashOfSpec(after) && before.apiKeyEnv === after.apiKeyEnv

const shareGpu = (one: PoolSpec, other: PoolSpec): boolean =>
  one.devices.some((device) => device !== 'cpu' && other.devices.includes(device))
