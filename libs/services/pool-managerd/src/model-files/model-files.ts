import type { ModelFacts } from '@berth/memory'
import type { ModelStore } from '@berth/model-store'

/** The models on this host: their files, and what those say. */
export interface ModelFiles {
  readonly store: ModelStore
  /** `undefined` when the files do not tell. `path`: a file, or the folder of a snapshot. */
  factsOf(path: string): Promise<ModelFacts | undefined>
}
