import { BerthError, parseModelId } from '@berth/kernel'
import type { EngineDriver } from '@berth/supervision'
import { checkModelRef } from './check-model-ref.ts'
import { leavesFolder } from './leaves-folder.ts'
import { readModelSource } from './model-source.ts'
import type { PoolSpec } from './pool-spec.ts'

/** The pool with another model, named as `model` in the pools file would name it. */
export const withModel = (spec: PoolSpec, ref: string): PoolSpec => {
  if (ref === spec.modelRef) return spec
  const { modelPath: _, writtenModelRef = spec.modelRef, engine, ...rest } = spec
  const { modelId: ownId, modelRef: _ref, ...options } = engine
  const named = ref === '' ? options : { ...options, modelRef: ref }
  const source = ref === '' ? undefined : readModelSource(ref, engine.engine, spec.modelRoot ?? '.')
  const modelId = spec.hasOwnModelId ? ownId : source?.modelId
  return {
    ...rest,
    engine: modelId === undefined ? named : { ...named, modelId },
    modelRef: ref,
    writtenModelRef,
    ...(source?.path === undefined ? {} : { modelPath: source.path }),
  }
}

/** The model of the pools file, whatever the pool serves now. */
export const writtenModel = ({ modelRef, writtenModelRef = modelRef }: PoolSpec): string =>
  writtenModelRef

/** What the file of the model it has now must be; a model of a reload may be anything. */
export const wantedDigest = (spec: PoolSpec): string | undefined =>
  spec.modelRef === writtenModel(spec) ? spec.modelDigest : undefined

/**
 * Throws `INVALID_PARAMS` unless the engine of the pool could be started with the model: it names
 * one, a file is below `model_root`, and the driver takes it. Whether it is there is another
 * matter.
 */
export const checkNewModel = (spec: PoolSpec, ref: string, driver: EngineDriver): void => {
  if (ref === writtenModel(spec)) return
  const next = withModel(spec, ref)
  const { modelRoot, modelPath } = next
  if (modelPath !== undefined && (modelRoot === undefined || leavesFolder(modelRoot, modelPath)))
    throw invalid(
      `${ref.slice(0, 200)} is not below model_root, ${modelRoot ?? 'which is not set'}`,
    )
  const badRef = checkModelRef(next)
  if (badRef !== undefined) throw invalid(badRef)
  const { modelId = '' } = next.engine
  try {
    parseModelId(modelId)
  } catch (error) {
    throw invalid(`${ref.slice(0, 200)} names no model: ${(error as Error).message}`)
  }
  const [problem] = driver.check(next.engine)
  if (problem !== undefined) throw invalid(problem)
}

const invalid = (problem: string) =>
  new BerthError(
    'INVALID_PARAMS',
    `new_model_ref: ${problem}. Write it as model in the pools file, such as file:name.gguf.`,
    { facts: { param: 'new_model_ref' } },
  )
