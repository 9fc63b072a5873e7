import { basename } from 'node:path'
import { messageOf, type Clock } from '@berth/kernel'
import type { ModelFacts } from '@berth/memory'
import type { CrashReport, LoadSign } from '@berth/supervision'
import { fetchFailure } from '../model-files/fetch-failure.ts'
import { fetchModel } from '../model-files/fetch-model.ts'
import type { ModelFiles } from '../model-files/model-files.ts'
import { readModelFacts } from '../model-files/read-model-facts.ts'
import { stagedRefOf } from '../model-files/staged-ref.ts'
import { lacksModel } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { wantedDigest } from '../pools-file/with-model.ts'
import { machineOf, type Machine } from './machine.ts'
import type { ModelDigests } from './model-digests.ts'

/** What staging needs of the world. */
export interface StageEnv {
  readonly machine?: Machine
  readonly clock: Clock
  /** Absent: digests are neither known nor verified. */
  readonly digests?: ModelDigests
  /** Absent: nothing is fetched, and no header is read. */
  readonly modelFiles?: ModelFiles
  /** Nothing may be fetched. Absent is false. */
  readonly isOffline?: boolean
  /** Only what is here counts, this once. Absent is false. */
  readonly isOnlyHere?: boolean
}

/** Who follows the staging of a model. */
export interface StageWatcher {
  readonly signal?: AbortSignal
  /** What it is doing, in words; at most twice a second. */
  onStep?(step: string): void
  /** How far its files have come; at most twice a second. */
  onSign?(sign: LoadSign): void
  /** What the model file is, once that is known. */
  onDigest?(digest: string): void
}

/** A model whose files are on this host. */
export interface StagedModel {
  /** A file, or the folder of a snapshot. Absolute. */
  readonly path: string
  /** The commit of a model that comes from a repository. */
  readonly revision?: string
  /** What its files say of it; absent when they do not tell. */
  readonly facts?: ModelFacts
}

/** `model` is absent where the engine reads no files of ours. */
export type Staging =
  | { readonly kind: 'staged'; readonly model?: StagedModel }
  | { readonly kind: 'refused'; readonly report: CrashReport }

const STEP_MS = 500

/**
 * Brings the model of a pool to this machine and proves that it is the one that is wanted, or says
 * why it cannot be had. Never throws; aborted, it says so at once.
 */
export const stageModel = async (
  spec: PoolSpec,
  env: StageEnv,
  watcher: StageWatcher = {},
): Promise<Staging> => {
  const { modelPath: path, poolId, engine } = spec
  if (lacksModel(spec)) return refuse('model_not_found', withoutModel(poolId))
  const { modelFiles } = env
  const isOffline = env.isOffline === true || spec.isAirgapped === true
  const fetched = stagedRefOf(spec, isOffline)
  if (fetched && modelFiles) {
    try {
      const wanted = { ...fetched, digest: wantedDigest(spec) }
      const model = await fetchModel(wanted, { ...env, isOffline, modelFiles }, watcher)
      return await readModelFacts(spec, model, modelFiles, watcher.signal)
    } catch (error) {
      return { kind: 'refused', report: fetchFailure(error) }
    }
  }
  if (path === undefined || engine.mode !== 'managed') return { kind: 'staged' }
  const report = await checkFile(spec, path, env, watcher)
  if (report) return { kind: 'refused', report }
  return readModelFacts(spec, { path }, env.modelFiles, watcher.signal)
}

/** A file that the operator put here: it is there, and has the digest that is wanted. */
const checkFile = async (
  spec: PoolSpec,
  path: string,
  env: StageEnv,
  watcher: StageWatcher,
): Promise<CrashReport | undefined> => {
  const machine = machineOf(env)
  const isFolder = spec.engine.engine === 'vllm' && (await machine.hasFolder?.(path)) === true
  if (isFolder) return undefined
  if (!(await machine.hasFile(path)))
    return reportOf(
      'model_not_found',
      `There is no model file ${path}. Put it there, or change model of pool ${spec.poolId}.`,
    )
  const wanted = wantedDigest(spec)
  if (!env.digests) return undefined
  try {
    const digest =
      wanted === undefined
        ? await env.digests.known(path)
        : await env.digests.read(path, toldSeldom(path, env.clock, watcher))
    if (digest !== undefined) watcher.onDigest?.(digest)
    if (wanted === undefined || digest === wanted) return undefined
    return reportOf('model_invalid', mismatch(path, digest ?? '', wanted))
  } catch (error) {
    const message = `The model file ${path} could not be read to verify its digest: ${messageOf(error)}`
    return { kind: 'model_not_found', message, isRetriable: true }
  }
}

const toldSeldom = (path: string, clock: Clock, { signal, onStep }: StageWatcher) => {
  let nextAt = 0
  return {
    ...(signal ? { signal } : {}),
    onProgress: (ratio: number) => {
      if (clock.now() < nextAt) return
      nextAt = clock.now() + STEP_MS
      onStep?.(`verifying the digest of ${basename(path)}: ${Math.floor(ratio * 100)} %`)
    },
  }
}

const reportOf = (kind: CrashReport['kind'], message: string): CrashReport => ({
  kind,
  message,
  isRetriable: false,
})

const refuse = (kind: CrashReport['kind'], message: string): Staging => ({
  kind: 'refused',
  report: reportOf(kind, message),
})

const withoutModel = (poolId: string) =>
  `Pool ${poolId} has no model yet: set model in the pools file, or reload the pool to one.`

const mismatch = (path: string, found: string, wanted: string) =>
  `The model file ${path} has digest ${found}, and the pools file wants ${wanted}. ` +
  'Fetch the file again, or correct digest in the pools file.'
