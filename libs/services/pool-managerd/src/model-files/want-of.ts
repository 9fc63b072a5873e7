import type { EnsureOptions } from '@berth/model-store'
import type { EngineName } from '@berth/supervision'
import type { Pool } from '../pool/pool.ts'
import { poolsNeeding } from './needed-by.ts'

/** What an engine reads of a repository: one GGUF file, or all of it. */
export const wantOfEngine = (engine: EngineName): EnsureOptions['want'] =>
  engine === 'vllm' ? 'snapshot' : 'gguf'

/**
 * What to fetch of a model that nobody waits for: as the pools that name it read it, else as the
 * reference sounds, else as the engines of this host read.
 */
export const wantOf = (
  modelRef: string,
  pools: ReadonlyMap<string, Pool>,
): EnsureOptions['want'] => {
  const wantsOf = (of: readonly Pool[]) =>
    new Set(of.map(({ spec }) => wantOfEngine(spec.engine.engine)))
  const naming = poolsNeeding(pools.values(), modelRef).flatMap((id) => pools.get(id) ?? [])
  const wants = wantsOf(naming)
  const [wanted] = wants
  if (wanted !== undefined && wants.size === 1) return wanted
  if (/gguf/i.test(modelRef) || !modelRef.startsWith('hf:')) return 'gguf'
  const [only, other] = wantsOf([...pools.values()])
  return only !== undefined && other === undefined ? only : 'snapshot'
}
