import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { DiskRoom } from './download/disk-room.ts'
import type { RetryOptions } from './download/download-file.ts'
import type { Turns } from './download/turns.ts'
import type { ManifestFolder } from './disk/manifest-folder.ts'
import type { StorePaths } from './disk/store-paths.ts'
import type { EnsureOptions } from './model-store.ts'
import type { ModelSourceRef } from './ref/model-ref.ts'
import type { SourceDeps } from './source/source.ts'

/** The pieces of one store. */
export interface StoreParts {
  readonly paths: StorePaths
  readonly manifests: ManifestFolder
  readonly clock: Clock
  readonly log: Logger
  readonly room: DiskRoom
  readonly turns: Turns
  readonly retry: RetryOptions
  readonly silenceMs: number
  readonly source: SourceDeps
}

/** A reference of which something is asked: how it was written, what it means, how it is wanted. */
export interface Asked<R extends ModelSourceRef = ModelSourceRef> {
  readonly ref: string
  readonly parsed: R
  /** Names its manifest. */
  readonly key: string
  readonly options: EnsureOptions
}
