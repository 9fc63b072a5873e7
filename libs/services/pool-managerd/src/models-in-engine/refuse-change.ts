import type { UnloadModelRequest } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import type { Pool } from '../pool/pool.ts'
import type { WantedModel } from './kept-model.ts'

/** Throws `POOL_UNREADY` and `INSUFFICIENT_VRAM` where a load could only fail. */
export const refuseLoad = (pool: Pool, { modelId }: WantedModel): void => {
  refuseUnready(pool)
  pool.keeper?.refuseOneMore(modelId)
}

/** Throws `MODEL_NOT_FOUND`, `POOL_UNREADY`, and `ACTIVE_REQUESTS` with their number. */
export const refuseUnload = (pool: Pool, request: UnloadModelRequest): void => {
  const { keeper, spec } = pool
  refuseUnready(pool)
  if (!keeper?.find(request.modelId)) throw unknown(spec.poolId, request.modelId)
  refuseActive(spec.poolId, request, keeper.activeOf(request.modelId))
}

/** The same for the only model of an engine, and `UNSUPPORTED_OPERATION` where it is not ours. */
export const refuseUnloadByStop = (pool: Pool, request: UnloadModelRequest): void => {
  const { spec, slots } = pool
  const { poolId } = spec
  const { mode, modelId } = spec.engine
  if (mode !== 'managed')
    throw new BerthError(
      'UNSUPPORTED_OPERATION',
      `Pool ${poolId} is ${mode}: Berth does not stop its engine, and its model goes with it. ` +
        (spec.unit ? `Use systemctl with ${spec.unit}.` : 'Do it where the engine is run.'),
      { facts: { pool_id: poolId, mode } },
    )
  if (request.modelId !== '' && request.modelId !== modelId) throw unknown(poolId, request.modelId)
  refuseActive(poolId, request, slots.active)
}

/** Throws `UNSUPPORTED_OPERATION`: a restart would take all models away to change one. */
export const refuseReload = ({ keeper, spec }: Pool): void => {
  if (!keeper?.ownsModel) return
  const { poolId } = spec
  throw new BerthError(
    'UNSUPPORTED_OPERATION',
    `Pool ${poolId} holds many models: nothing has to be restarted for another one. ` +
      `Use: berth models load MODEL --pool ${poolId}`,
    { facts: { pool_id: poolId } },
  )
}

const refuseUnready = ({ spec, supervised }: Pool): void => {
  const { kind } = supervised.state
  if (kind === 'ready' || kind === 'draining') return
  const why = supervised.lastError || supervised.reason
  throw new BerthError(
    'POOL_UNREADY',
    `Pool ${spec.poolId} is ${kind}${why ? `: ${why}` : ''}. Models come and go while it is ready.`,
    { facts: { pool_id: spec.poolId, state: kind } },
  )
}

const unknown = (poolId: string, modelId: string) =>
  new BerthError(
    'MODEL_NOT_FOUND',
    `Pool ${poolId} has no model ${JSON.stringify(modelId.slice(0, 256))}. See: berth pools ${poolId}`,
    { facts: { pool_id: poolId, model_id: modelId.slice(0, 256) } },
  )

/** Nobody's request is ended by a command that did not ask for it. */
export const refuseActive = (
  poolId: string,
  {
    deadlineMs,
    isForced,
    modelId,
  }: Pick<UnloadModelRequest, 'deadlineMs' | 'isForced' | 'modelId'>,
  active: number,
): void => {
  if (active === 0 || deadlineMs > 0 || isForced) return
  throw new BerthError(
    'ACTIVE_REQUESTS',
    `${active} ${active === 1 ? 'request runs' : 'requests run'} in ${modelId || 'the model'} of ` +
      `pool ${poolId}. Ask again with a deadline to let them end, or with force to end them.`,
    { facts: { pool_id: poolId, model_id: modelId, active_requests: active } },
  )
}
