import { BerthError } from '@berth/kernel'
import type { StagedModel, Staging } from '../engine/stage-model.ts'
import { readsFiles } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { ModelFiles } from './model-files.ts'

/**
 * A model with what its header says. One that cannot be used is refused where the engine reads the
 * file itself: some engines hang on what they should refuse. Others know formats that we do not.
 */
export const readModelFacts = async (
  { engine }: PoolSpec,
  model: StagedModel,
  modelFiles: ModelFiles | undefined,
  signal: AbortSignal | undefined,
): Promise<Staging> => {
  if (!modelFiles || engine.engine === 'sim') return { kind: 'staged', model }
  try {
    return {
      kind: 'staged',
      model: { ...model, facts: await modelFiles.readFacts(model.path, signal) },
    }
  } catch (error) {
    const { reason, message } = BerthError.from(error)
    if (reason !== 'MODEL_LOAD_FAILED' || !readsFiles(engine.engine))
      return { kind: 'staged', model }
    return { kind: 'refused', report: { kind: 'model_invalid', message, isRetriable: false } }
  }
}
