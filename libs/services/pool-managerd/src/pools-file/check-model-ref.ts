import { BerthError } from '@berth/kernel'
import { parseModelRef } from '@berth/model-store'
import { readsFiles, schemeOf } from './model-source.ts'
import type { PoolSpec } from './pool-spec.ts'

/** What is wrong with the reference of a pool's model for the engine it is for; or `undefined`. */
export const checkModelRef = ({ modelRef, engine }: PoolSpec): string | undefined => {
  const scheme = schemeOf(modelRef)
  if (engine.mode !== 'managed' || scheme === '' || engine.engine === 'sim') return undefined
  if (engine.engine === 'vllm' && scheme !== 'hf' && scheme !== 'file')
    return `vllm reads a repository (hf:ORG/NAME) or a folder (file:PATH), not ${scheme}:`
  if (engine.engine !== 'vllm' && !readsFiles(engine.engine)) return undefined
  try {
    parseModelRef(modelRef)
    return undefined
  } catch (error) {
    return BerthError.from(error).message
  }
}
