import { basename } from 'node:path'
import { messageOf, type Clock } from '@berth/kernel'
import type { CrashReport } from '@berth/supervision'
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
}

/** Who follows the staging of a model. */
export interface StageWatcher {
  readonly signal?: AbortSignal
  /** What it is doing, in words; at most twice a second. */
  onStep?(step: string): void
  /** What the model file is, once that is known. */
  onDigest?(digest: string): void
}

const STEP_MS = 500

/**
 * Brings the model of a pool to this machine and proves that it is the one that is wanted, or says
 * why it cannot be had. Never throws; aborted, it says so at once.
 */
export const stageModel = async (
  spec: PoolSpec,
  env: StageEnv,
  watcher: StageWatcher = {},
): Promise<CrashReport | undefined> => {
  const { modelPath: path, poolId } = spec
  if (lacksModel(spec)) return refuse('model_not_found', withoutModel(poolId))
  if (path === undefined || spec.engine.mode !== 'managed') return undefined
  if (!(await machineOf(env).hasFile(path)))
    return refuse(
      'model_not_found',
      `There is no model file ${path}. Put it there, or change model of pool ${poolId}.`,
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
    return refuse('model_invalid', mismatch(path, digest ?? '', wanted))
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

const refuse = (kind: CrashReport['kind'], message: string): CrashReport => ({
  kind,
  message,
  isRetriable: false,
})

const withoutModel = (poolId: string) =>
  `Pool ${poolId} has no model yet: set model in the pools file, or reload the pool to one.`

const mismatch = (path: string, found: string, wanted: string) =>
  `The model file ${path} has digest ${found}, and the pools file wants ${wanted}. ` +
  'Fetch the file again, or correct digest in the pools file.'
