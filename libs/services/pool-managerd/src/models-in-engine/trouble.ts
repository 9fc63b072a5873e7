import { BerthError } from '@berth/kernel'
import type { CrashReport, SupervisionPolicy } from '@berth/supervision'
import {
  without,
  type KeptModel,
  type KeptModels,
  type ModelTrouble,
  type WantedModel,
} from './kept-model.ts'

/** When a load that failed is tried again by itself: as often as a start would be. */
export const retryAfter = (
  report: CrashReport,
  before: ModelTrouble | undefined,
  {
    now,
    loadMaxRetries,
    restart: { backoff },
  }: Pick<SupervisionPolicy, 'loadMaxRetries' | 'restart'> & { readonly now: number },
): ModelTrouble => {
  const tries = (before?.tries ?? 0) + 1
  if (!report.isRetriable || tries > loadMaxRetries) return { report, tries }
  const pauseMs = Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** (tries - 1))
  return { report, tries, retryAt: now + pauseMs }
}

/** It went for another: to load it again would only send that one away. */
export const displaced = (modelId: string, other: string): ModelTrouble => ({
  report: {
    kind: 'out_of_vram',
    message:
      `The engine let go of ${modelId} when ${other} was loaded: it does not hold both. ` +
      'It comes back when a model of the pool is unloaded.',
    isRetriable: false,
  },
  tries: 1,
})

/** There is room again for what had to go. */
export const withRoom = (model: KeptModel): KeptModel =>
  model.trouble?.report.kind === 'out_of_vram' ? without(model, 'trouble') : model

/** What was wanted before goes on being wanted; a command that failed leaves nothing behind. */
export const afterFailure = (
  model: KeptModel,
  wanted: WantedModel | undefined,
  trouble: ModelTrouble | undefined,
): KeptModel =>
  wanted ? { ...model, wanted, ...(trouble ? { trouble } : {}) } : without(model, 'wanted')

/** Throws `INSUFFICIENT_VRAM` when the engine would let go of a wanted model for one more. */
export const refuseOneMore = (
  models: KeptModels,
  { maxResident, poolId }: { readonly maxResident: number | undefined; readonly poolId: string },
): void => {
  const held = [...models.values()].filter(({ wanted, resident }) => wanted && resident)
  if (maxResident === undefined || held.length < maxResident) return
  const ids = held.map(({ modelId }) => modelId).join(', ')
  throw new BerthError(
    'INSUFFICIENT_VRAM',
    `Pool ${poolId} holds ${ids}, as many models as it may (${maxResident}). Unload one of them ` +
      'first, or raise engine_options.max_loaded_models.',
    { facts: { pool_id: poolId, models: held.length, max_loaded_models: maxResident } },
  )
}
