import type { EnsureOptions, FetchProgress } from '@berth/model-store'
import type { LoadSign } from '@berth/supervision'
import type { StageEnv, StagedModel, StageWatcher } from '../engine/stage-model.ts'
import type { ModelFiles } from './model-files.ts'
import type { StagedRef } from './staged-ref.ts'

/**
 * The files of a model in the store, fetched when they are not there. Rejects as
 * `ModelStore.ensurePresent` does.
 */
export const fetchModel = async (
  { ref, want, digest }: StagedRef & { readonly digest: string | undefined },
  on: Pick<StageEnv, 'isOffline' | 'isOnlyHere'> & { readonly modelFiles: ModelFiles },
  { signal, onStep, onSign, onDigest }: StageWatcher,
): Promise<StagedModel> => {
  const { store } = on.modelFiles
  const onProgress = (progress: FetchProgress) => {
    onStep?.(progress.step)
    onSign?.(signOf(progress))
  }
  if (!(await store.find(ref, { want }))) onSign?.({ phase: 'download' })
  const options: EnsureOptions = {
    ...{ want, onProgress, isOffline: on.isOffline === true || on.isOnlyHere === true },
    ...(signal ? { signal } : {}),
    ...(digest === undefined ? {} : { digest }),
  }
  const model = await store.ensurePresent(ref, options)
  if (model.digest !== undefined) onDigest?.(model.digest)
  return { path: model.path, ...(model.revision ? { revision: model.revision } : {}) }
}

const signOf = ({ bytesDone, bytesTotal }: FetchProgress): LoadSign => ({
  phase: 'download',
  bytesDone,
  ...(bytesTotal === undefined ? {} : { bytesTotal }),
})
