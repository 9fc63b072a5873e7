import { messageOf } from '@berth/kernel'
import { stageModel } from '../engine/stage-model.ts'
import type { Host } from '../host.ts'
import { lacksModel } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { withModel, writtenModel } from '../pools-file/with-model.ts'
import { AS_THE_FILE_SAYS, type PoolIntents } from '../state/pool-intents.ts'
import type { PoolModels } from '../state/pool-models.ts'
import { NOTHING_WANTED, type WantedModels } from '../state/wanted-models.ts'
import { keepsEngine } from './pool-changes.ts'
import type { Pool } from './pool.ts'
import { startPool, type StartEnv } from './start-pools.ts'
import { untilStopped } from './until-stopped.ts'

export interface PoolActionsOptions extends StartEnv {
  readonly host: Host
  readonly intents: PoolIntents
  readonly models: PoolModels
  readonly wantedModels?: WantedModels | undefined
  /** How long requests of a pool that is replaced or removed may take to end. */
  readonly drainMs: number
  /** Why a pool on these devices cannot be served; none while it can. */
  faultOf(devices: readonly string[]): string | undefined
}

/** What is done to one pool of a running host. Each rejects when the signal aborts. */
export interface PoolActions {
  /** Starts a pool of this entry, once those that leave its GPUs are gone, if it is still wanted. */
  begin(spec: PoolSpec, isWanted: () => boolean): Promise<void>
  /** False: its new model cannot be had, and the pool serves on as it was. */
  change(pool: Pool, spec: PoolSpec, isWanted: () => boolean): Promise<boolean>
  remove(pool: Pool): Promise<void>
}

export const createPoolActions = (
  options: PoolActionsOptions,
  signal: AbortSignal,
): PoolActions => {
  const { host, log } = options
  const leaving = new Map<Pool, Promise<void>>()

  const end = (pool: Pool, how: string): Promise<void> => {
    cancelOperation(host, pool, how)
    const left = untilStopped(pool, options.drainMs, signal).finally(() => leaving.delete(pool))
    leaving.set(pool, left)
    return left
  }
  const begin: PoolActions['begin'] = async (spec, isWanted) => {
    const rivals = [...leaving].filter(([pool]) => shareGpu(pool.spec, spec))
    await Promise.all(rivals.map(([, left]) => left))
    if (!isWanted()) return
    const pool = host.put(spec)
    pool.resume()
    const message = options.faultOf(spec.devices)
    if (message !== undefined) pool.dispatch({ kind: 'device_fault', message })
    startPool(pool, options)
  }
  return {
    begin,
    change: async (pool, spec, isWanted) => {
      const isSameFile = hasSameFile(spec, pool)
      const report = await stageBehind(pool, spec, { ...options, signal })
      if (!report && keepsEngine(pool, spec)) pool.adjust(spec)
      else if (report && !isSameFile) {
        const facts = { pool_id: spec.poolId, last_error: report.message }
        log.error(facts, 'changed pool cannot be started: it serves on as it was')
        return false
      } else {
        await end(pool, 'changed')
        if (writtenModel(spec) !== writtenModel(pool.spec)) forgetReload(pool, options)
        await begin(spec, isWanted)
      }
      return true
    },
    remove: async (pool) => {
      const { poolId } = pool.spec
      await end(pool, 'removed')
      options.intents.keep(poolId, AS_THE_FILE_SAYS)
      forgetReload(pool, options)
      forgetWanted(pool, options)
      host.drop(poolId)
    },
  }
}

/** While an engine is up: whether the model may be served as the file has it now, or why not. */
const stageBehind = async (
  pool: Pool,
  spec: PoolSpec,
  { stage, signal }: PoolActionsOptions & { readonly signal: AbortSignal },
) => {
  if (pool.instance === undefined || lacksModel(spec)) return undefined
  const staging = await stageModel(spec, stage, {
    signal,
    onDigest: (digest) => {
      if (hasSameFile(spec, pool)) pool.learnDigest(digest)
    },
  })
  signal.throwIfAborted()
  return staging.kind === 'refused' ? staging.report : undefined
}

const hasSameFile = ({ modelPath, modelRef }: PoolSpec, { spec }: Pool): boolean =>
  modelPath === spec.modelPath && (modelPath !== undefined || modelRef === spec.modelRef)

const cancelOperation = ({ operations }: Host, { spec }: Pool, how: string) => {
  const operation = operations.current(spec.poolId)
  if (!operation) return
  const message = `The pool was ${how} in the pools file.`
  operations.end(operation.operationId, { kind: 'cancelled', reason: 'CANCELLED', message })
}

/** The model that a reload put in the place of the file's is over with what the file said then. */
const forgetReload = ({ spec }: Pool, { models, log }: PoolActionsOptions) => {
  const written = writtenModel(spec)
  if (spec.modelRef === written) return
  models.keep(withModel(spec, written)).catch((error: unknown) => {
    log.error({ pool_id: spec.poolId, error: messageOf(error) }, 'model of a reload is kept')
  })
}

/** What was commanded of its models goes with the pool. */
const forgetWanted = ({ spec }: Pool, { wantedModels, log }: PoolActionsOptions) => {
  wantedModels?.keep(spec.poolId, NOTHING_WANTED).catch((error: unknown) => {
    log.error({ pool_id: spec.poolId, error: messageOf(error) }, 'models of a pool are kept')
  })
}

const shareGpu = (one: PoolSpec, other: PoolSpec): boolean =>
  one.devices.some((device) => device !== 'cpu' && other.devices.includes(device))
