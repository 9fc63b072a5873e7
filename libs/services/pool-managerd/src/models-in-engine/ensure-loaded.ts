import { create } from '@bufbuild/protobuf'
import { LoadModelRequestSchema } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Pool } from '../pool/pool.ts'
import { refuseLoad } from './refuse-change.ts'
import { wantedBy } from './wanted-by.ts'

/**
 * Resolves when an engine of several models has this one in memory; who asks meanwhile waits for
 * the same load. Throws what the load is refused with or fails of, and the signal's reason.
 */
export const ensureLoaded = async (
  pool: Pool,
  modelRef: string,
  signal: AbortSignal,
): Promise<void> => {
  const { keeper, spec } = pool
  // Any other engine came up with its model.
  if (!keeper?.ownsModel) return
  const wanted = wantedBy(pool, create(LoadModelRequestSchema, { modelRef }))
  const { modelId } = wanted
  if (keeper.refusalOf(modelId) === undefined) return
  refuseLoad(pool, wanted)
  const given = Promise.withResolvers<never>()
  const onAbort = () => given.reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    const failure = await Promise.race([keeper.load(wanted).ended, given.promise])
    if (!failure) return
    const { kind, message } = failure.report
    const reason = kind === 'model_not_found' ? 'MODEL_NOT_FOUND' : 'MODEL_LOAD_FAILED'
    throw new BerthError(reason, message, { facts: { pool_id: spec.poolId, model_id: modelId } })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
