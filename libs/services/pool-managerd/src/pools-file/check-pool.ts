import { statSync } from 'node:fs'
import { BerthError, parseModelId } from '@berth/kernel'
import type { EngineDriver, EngineName } from '@berth/supervision'
import { stagedRefOf } from '../model-files/staged-ref.ts'
import { problemOfModelId, problemOfSource } from '../models-in-engine/engine-store.ts'
import { checkModelRef } from './check-model-ref.ts'
import type { PoolSpec } from './pool-spec.ts'

/** What is wrong with a pool by itself, each with its path. */
export const checkPool = (
  spec: PoolSpec,
  where: string,
  drivers: Readonly<Partial<Record<EngineName, EngineDriver>>>,
): string[] => {
  const { engine } = spec.engine
  const driver = drivers[engine]
  const known = Object.keys(drivers).join(', ')
  const problems = driver
    ? driver.check(spec.engine).map((problem) => `${where}.${problem}`)
    : [`${where}.engine: this version has no driver for ${engine}, only ${known}`]
  return [
    ...problems,
    ...checkModel(spec, where),
    ...(spec.loadsOnDemand && spec.engine.mode !== 'managed'
      ? [`${where}.load: only a managed pool is started on demand`]
      : []),
    ...(driver ? checkNames(spec, where, driver) : []),
    ...(spec.container?.image === ''
      ? [`${where}.image: runtime ${spec.container.runtime} needs one, such as name@sha256:...`]
      : []),
    ...(spec.isStrict && spec.engine.slots !== 1
      ? [`${where}.slots: determinism strict needs exactly 1`]
      : []),
  ]
}

const checkModel = (spec: PoolSpec, where: string): string[] => {
  const { modelPath, modelDigest, engine } = spec
  const isManaged = engine.mode === 'managed'
  const problems: string[] = []
  const badRef = checkModelRef(spec)
  if (badRef !== undefined) problems.push(`${where}.model: ${badRef}`)
  else if (modelPath !== undefined && isManaged && !isModel(modelPath, engine.engine))
    problems.push(`${where}.model: there is no file ${modelPath}`)
  if (modelDigest !== undefined && !isOneFile(spec))
    problems.push(
      `${where}.digest: only the one model file of a managed pool has one (model: file:...)`,
    )
  if (engine.modelId !== undefined) {
    try {
      parseModelId(engine.modelId)
    } catch (error) {
      problems.push(`${where}.model_id: ${BerthError.from(error).message}`)
    }
  }
  return problems
}

/** Of an engine that has a store, or many models, of its own. */
const checkNames = (spec: PoolSpec, where: string, driver: EngineDriver): string[] => {
  const source = problemOfSource(spec.modelRef, spec, driver)
  const name = problemOfModelId(spec, driver)
  return [
    ...(source === undefined ? [] : [`${where}.model: ${source}`]),
    ...(name === undefined ? [] : [`${where}.model_id: ${name}`]),
  ]
}

const isOneFile = (spec: PoolSpec): boolean =>
  spec.engine.mode === 'managed' &&
  (spec.modelPath !== undefined || stagedRefOf(spec, false)?.want === 'gguf')

/** vLLM reads a folder as well. */
const isModel = (path: string, engine: EngineName): boolean => {
  const entry = statSync(path, { throwIfNoEntry: false })
  return entry?.isFile() === true || (engine === 'vllm' && entry?.isDirectory() === true)
}
