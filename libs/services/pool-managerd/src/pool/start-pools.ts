import { messageOf } from '@berth/kernel'
import { killGroup, type Logger } from '@berth/runtime'
import type { PreloadPlaces } from '../engine/preload-places.ts'
import { stageModel, type StageEnv } from '../engine/stage-model.ts'
import { lacksModel } from '../pools-file/model-source.ts'
import type { AdoptableEntry } from '../state/adoptable.ts'
import type { Pool } from './pool.ts'

/** What the pools of a host are started with. */
export interface StartEnv {
  readonly places: PreloadPlaces
  readonly stage: StageEnv
  readonly log: Logger
}

/** Takes over what runs, and starts every other pool in the order of the file. */
export const startPools = async (
  pools: readonly Pool[],
  adoptable: ReadonlyMap<string, AdoptableEntry>,
  env: StartEnv,
): Promise<void> => {
  for (const pool of pools) pool.resume()
  await Promise.all(
    pools.map(async (pool) => {
      const entry = adoptable.get(pool.spec.poolId)
      if (!entry || !(await isAdopted(pool, entry, env))) startPool(pool, env)
    }),
  )
}

/** Starts a pool unless it was stopped by command, or has nothing to start. */
export const startPool = (pool: Pool, { places, log }: Pick<StartEnv, 'places' | 'log'>): void => {
  const { poolId, modelPath, modelDigest } = pool.spec
  if (modelPath !== undefined && modelDigest === undefined)
    log.info(
      { pool_id: poolId, model_path: modelPath },
      'model has no digest in the pools file: its content is not verified',
    )
  if (pool.isHeldStopped) return
  if (lacksModel(pool.spec)) return pool.rest('it has no model yet; reload it to one')
  if (pool.spec.loadsOnDemand)
    return pool.rest('load is on_demand: it starts with its first request')
  pool.preload(places)
}

const isAdopted = async (pool: Pool, entry: AdoptableEntry, env: StartEnv): Promise<boolean> => {
  const { log } = env
  const { pid } = entry.process
  const facts = { pool_id: entry.poolId, instance_id: entry.instanceId, pid }
  try {
    // Its file may have changed, or the digest that it has to have.
    const onDigest = (digest: string) => pool.learnDigest(digest)
    const staging = await stageModel(pool.spec, { ...env.stage, isOnlyHere: true }, { onDigest })
    if (staging.kind === 'refused') throw new Error(staging.report.message)
    await pool.adopt(entry, staging.model)
    log.info(facts, 'engine of an earlier life is taken over')
    // The agent ended before its engine did, and has been told to stop it.
    if (pool.isHeldStopped) pool.end(0)
    return true
  } catch (error) {
    log.error({ ...facts, error: messageOf(error) }, 'engine cannot be taken over: it is ended')
    killGroup(pid, 'SIGKILL')
    return false
  }
}
