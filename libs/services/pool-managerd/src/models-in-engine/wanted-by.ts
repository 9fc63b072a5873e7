import type { LoadModelRequest } from '@berth/contract'
import { BerthError, parseModelId } from '@berth/kernel'
import type { Pool } from '../pool/pool.ts'
import { readModelSource } from '../pools-file/model-source.ts'
import { checkNewModel, withModel, writtenModel } from '../pools-file/with-model.ts'
import { problemOfSource } from './engine-store.ts'
import type { WantedModel } from './kept-model.ts'

/** Whether a load needs no restart: any model in a daemon of many, an adapter where it has a name. */
export const goesBeside = (
  { keeper }: Pool,
  { modelId }: Pick<LoadModelRequest, 'modelId'>,
): boolean => keeper !== undefined && (keeper.ownsModel || modelId !== '')

/** The model that is asked for; the pool's own where none is named. Throws `INVALID_PARAMS`. */
export const refToLoad = (
  { spec }: Pool,
  { modelRef }: Pick<LoadModelRequest, 'modelRef'>,
): string => {
  const ref = modelRef || writtenModel(spec)
  if (ref !== '') return ref
  throw invalid(`pool ${spec.poolId} has no model of its own, so say which to load.`)
}

const invalid = (problem: string) =>
  new BerthError('INVALID_PARAMS', `model_ref: ${problem}`, { facts: { param: 'model_ref' } })

/** The model as the engine is to hold it. Throws `INVALID_PARAMS` for what it cannot. */
export const wantedBy = (pool: Pool, request: LoadModelRequest): WantedModel => {
  const { spec, driver, keeper } = pool
  const modelRef = refToLoad(pool, request)
  const { isPinned, ttlS } = request
  const ttl = isPinned || ttlS === 0 ? {} : { ttlMs: ttlS * 1_000 }
  if (keeper?.ownsModel) {
    const problem = problemOfSource(modelRef, spec, driver)
    if (problem !== undefined) throw invalid(problem)
    checkNewModel(spec, modelRef, driver)
    const { modelId = '' } = withModel(spec, modelRef).engine
    return { modelId, modelRef, ...ttl }
  }
  const { path } = readModelSource(modelRef, spec.engine.engine, spec.modelRoot ?? '.')
  const modelId = parseModelId(request.modelId)
  return { modelId, modelRef, ...(path === undefined ? {} : { source: path }), ...ttl }
}
