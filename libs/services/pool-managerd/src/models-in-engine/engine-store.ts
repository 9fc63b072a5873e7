import type { EngineDriver } from '@berth/supervision'
import { schemeOf } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'

/**
 * Why a model cannot be had by an engine that fetches models by name into a store of its own;
 * `undefined` for one that it can, and for every other engine.
 */
export const problemOfSource = (
  ref: string,
  { engine }: Pick<PoolSpec, 'engine'>,
  driver: Pick<EngineDriver, 'modelCalls'>,
): string | undefined => {
  if (!driver.modelCalls?.(engine)?.pull) return undefined
  const scheme = schemeOf(ref)
  return scheme === '' || scheme === engine.engine
    ? undefined
    : `${engine.engine} fetches models by its own names into its own store: write a name without ` +
        `${scheme}:, such as hf.co/owner/name:Q4_K_M`
}

/** An engine of many models calls each by its name: one name for all of them would be none. */
export const problemOfModelId = (
  { hasOwnModelId, engine }: Pick<PoolSpec, 'engine' | 'hasOwnModelId'>,
  driver: Pick<EngineDriver, 'abilities'>,
): string | undefined =>
  hasOwnModelId === true && driver.abilities.isMultiModel === true
    ? `${engine.engine} serves its models under their own names: remove the key`
    : undefined
