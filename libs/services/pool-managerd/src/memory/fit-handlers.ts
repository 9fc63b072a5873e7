import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FitModelResponseSchema, PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Handlers } from '@berth/rpc'
import type { CrashReport } from '@berth/supervision'
import type { PoolCommands } from '../commands/pool-commands.ts'
import { stageModel, type StageEnv } from '../engine/stage-model.ts'
import type { ModelFiles } from '../model-files/model-files.ts'
import type { Pool } from '../pool/pool.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { checkNewModel, withModel } from '../pools-file/with-model.ts'
import { fitLoad, type Fit } from './fit-load.ts'
import type { MemoryBook } from './memory-book.ts'

/** What a fit is computed from. */
export interface FitMeans extends Pick<StageEnv, 'clock'> {
  /** Absent: only files that are named by their path are found. */
  readonly modelFiles?: ModelFiles | undefined
  /** Absent: nothing is booked on this host. */
  readonly memory?: MemoryBook | undefined
}

/** What a model would take in a pool, term by term. Changes nothing, and fetches nothing. */
export const fitHandlers = (
  commands: Pick<PoolCommands, 'find'>,
  { clock, modelFiles, memory }: FitMeans,
): Pick<Handlers<typeof PoolManagerService>, 'fitModel'> => ({
  fitModel: async ({ poolId, modelRef }, { signal }) => {
    const pool = commands.find(poolId)
    if (modelRef !== '') checkNewModel(pool.spec, modelRef, pool.driver)
    const spec = modelRef === '' ? pool.spec : withModel(pool.spec, modelRef)
    if (!memory) throw notKnown(pool, 'This agent books no memory.')
    const here = { clock, isOnlyHere: true, ...(modelFiles ? { modelFiles } : {}) }
    const staging = await stageModel(spec, here, { signal })
    if (staging.kind === 'refused') throw notHere(spec, staging.report)
    const facts = staging.model?.facts
    const engineVersion = memory.versionOf(poolId)
    const load = { entryId: `fit ${poolId}`, spec, driver: pool.driver, facts, engineVersion }
    const fit = await fitLoad(load, memory)
    const { estimate } = fit.weighed
    if (estimate.kind === 'unknown' && fit.refusal === undefined)
      throw notKnown(pool, estimate.reason)
    return fitMessage(spec.engine.modelId ?? '', fit)
  },
})

const fitMessage = (
  modelId: string,
  { weighed, needs, correction, refusal, evictable }: Fit,
): MessageInitShape<typeof FitModelResponseSchema> => {
  const { estimate, basis } = weighed
  const terms = estimate.kind === 'unknown' ? [] : estimate.terms
  return {
    modelId,
    fits: refusal === undefined,
    reason: refusal ?? '',
    terms: terms.map(({ name, bytes, formula }) => ({ name, bytes: whole(bytes), formula })),
    devices: needs.map(
      ({ deviceId, requiredBytes, availableBytes, totalBytes, headroomBytes }) => ({
        ...{ deviceId, requiredBytes: whole(requiredBytes), headroomBytes: whole(headroomBytes) },
        ...(availableBytes === undefined ? {} : { availableBytes: whole(availableBytes) }),
        ...(totalBytes === undefined ? {} : { totalBytes: whole(totalBytes) }),
      }),
    ),
    requiredBytes: whole(needs.reduce((sum, { requiredBytes }) => sum + requiredBytes, 0)),
    hostBytes: whole(estimate.kind === 'known' ? estimate.hostBytes : 0),
    ...{ correction, basis, evictableModelIds: [...evictable] },
  }
}

/** Headers may tell figures that no message can hold. */
const whole = (bytes: number): bigint =>
  BigInt(Math.round(Math.min(bytes, Number.MAX_SAFE_INTEGER)))

/** Files that are here and say nothing have their reason; others have to come here first. */
const notHere = ({ modelRef, modelPath }: PoolSpec, { kind, message }: CrashReport) => {
  const told = kind !== 'model_not_found' || modelRef === '' ? message : absent(modelRef, modelPath)
  return new BerthError('MODEL_NOT_FOUND', told, { facts: { model_ref: modelRef } })
}

const absent = (modelRef: string, path: string | undefined): string =>
  path === undefined
    ? `The files of ${modelRef} are not on this host yet, and what a model takes is read from its ` +
      `files. Fetch them first: berth models pull ${modelRef}`
    : `There is no file ${path} on this host. Copy it there, or name a model that can be fetched, ` +
      'such as hf:Qwen/Qwen3-8B-GGUF:Q4_K_M.'

const notKnown = ({ spec }: Pool, reason: string) =>
  new BerthError(
    'UNSUPPORTED_OPERATION',
    `What ${spec.engine.engine} takes in pool ${spec.poolId} cannot be told: ${reason} With ` +
      'vram_budget_bytes the pool has a figure.',
    { facts: { pool_id: spec.poolId, engine: spec.engine.engine } },
  )
