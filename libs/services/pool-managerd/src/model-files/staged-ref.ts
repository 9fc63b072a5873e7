import type { EnsureOptions } from '@berth/model-store'
import { readsFiles, schemeOf } from '../pools-file/model-source.ts'
import type { PoolSpec } from '../pools-file/pool-spec.ts'

/** What a pool has fetched by the store before its engine starts. */
export interface StagedRef {
  readonly ref: string
  readonly want: EnsureOptions['want']
}

const FETCHED: ReadonlySet<string> = new Set(['hf', 'https', 'oci', 'ollama'])
/** A repository of the Hub as vLLM is told of it, without a scheme. */
const REPOSITORY = /^[\w.-]+\/[\w.-]+(@[\w./-]+)?$/

/**
 * `undefined` for a model that is here already, that its engine fetches by itself, or that is
 * nothing but a name. Where nothing may be fetched, an engine that would has to find it in the
 * store.
 */
export const stagedRefOf = (
  { modelRef, engine, modelPath }: PoolSpec,
  isOffline: boolean,
): StagedRef | undefined => {
  if (engine.mode !== 'managed' || modelPath !== undefined || modelRef === '') return undefined
  const isFetched = FETCHED.has(schemeOf(modelRef))
  if (readsFiles(engine.engine)) return isFetched ? { ref: modelRef, want: 'gguf' } : undefined
  if (engine.engine !== 'vllm') return undefined
  if (isFetched) return { ref: modelRef, want: 'snapshot' }
  return isOffline && REPOSITORY.test(modelRef)
    ? { ref: `hf:${modelRef}`, want: 'snapshot' }
    : undefined
}
