import type { ModelFacts } from '@berth/memory'
import type { ModelStore } from '@berth/model-store'
import type { Pool } from '../pool/pool.ts'

/** The models on this host: their files, and what those say. */
export interface ModelFiles {
  readonly store: ModelStore
  /**
   * What the header of a file, or of the files of a folder, says. Rejects with `MODEL_NOT_FOUND`,
   * and with `MODEL_LOAD_FAILED` for one that cannot be used.
   */
  readFacts(path: string, signal?: AbortSignal): Promise<ModelFacts>
  /** From now on, what these pools need is never removed. Until then, nothing is. */
  keepFor(pools: ReadonlyMap<string, Pool>): void
}
