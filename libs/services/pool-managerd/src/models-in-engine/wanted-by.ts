import { isAbsolute } from 'node:path'
import type { LoadModelRequest } from '@berth/contract'
import { BerthError, parseModelId } from '@berth/kernel'
import { parseModelRef } from '@berth/model-store'
import type { Pool } from '../pool/pool.ts'
import { leavesFolder } from '../pools-file/leaves-folder.ts'
import { readModelSource, schemeOf } from '../pools-file/model-source.ts'
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
  const modelId = parseModelId(request.modelId)
  return { modelId, modelRef, source: sourceOfAdapter(modelRef, spec), ...ttl }
}

/** What the engine is told of an adapter: a path below `model_root`, or a repository of the Hub. */
const sourceOfAdapter = (ref: string, { modelRoot }: Pool['spec']): string => {
  const scheme = schemeOf(ref)
  if (scheme === 'file' || isAbsolute(ref)) {
    const { path = '' } = readModelSource(ref, 'embedded', modelRoot ?? '.')
    if (modelRoot !== undefined && !leavesFolder(modelRoot, path)) return path
    throw invalid(
      `${ref.slice(0, 200)} is not below model_root, ${modelRoot ?? 'which is not set'}.`,
    )
  }
  const name = scheme === 'hf' ? ref : `hf:${ref}`
  const read = scheme === 'hf' || scheme === '' ? parseModelRef(name) : undefined
  if (read?.scheme === 'hf' && name === `hf:${read.repository}`) return read.repository
  throw invalid(
    `${ref.slice(0, 200)} is no adapter that the engine can read: write file:FOLDER below ` +
      'model_root, or hf:ORG/NAME without a revision or a file.',
  )
}
