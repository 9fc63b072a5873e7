import { statSync } from 'node:fs'
import { BerthError, parseModelId } from '@berth/kernel'
import type { EngineDriver, EngineName } from '@berth/supervision'
import { schemeOf } from './model-source.ts'
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
    ...(spec.container?.image === ''
      ? [`${where}.image: runtime ${spec.container.runtime} needs one, such as name@sha256:...`]
      : []),
    ...(spec.isStrict && spec.engine.slots !== 1
      ? [`${where}.slots: determinism strict needs exactly 1`]
      : []),
  ]
}

const checkModel = (spec: PoolSpec, where: string): string[] => {
  const { modelPath, modelDigest, modelRef, engine } = spec
  const isManaged = engine.mode === 'managed'
  const problems: string[] = []
  const scheme = schemeOf(modelRef)
  if (isManaged && engine.engine !== 'sim' && scheme !== '' && scheme !== 'file')
    problems.push(
      `${where}.model: this version fetches no models: put the file here and name it file:PATH`,
    )
  else if (modelPath !== undefined && isManaged && !isFile(modelPath))
    problems.push(`${where}.model: there is no file ${modelPath}`)
  if (modelDigest !== undefined && (modelPath === undefined || !isManaged))
    problems.push(
      `${where}.digest: only the model file of a managed pool has one (model: file:...)`,
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

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
