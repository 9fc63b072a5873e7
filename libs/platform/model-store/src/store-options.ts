import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { RetryOptions } from './download/download-file.ts'
import type { Resolve } from './egress/guard-lookup.ts'
import type { EgressOptions } from './egress/host-rules.ts'
import type { StoredModel } from './model-store.ts'
import type { HubEnv } from './source/hub-token.ts'
import type { RegistryCredentials } from './source/source.ts'

/** What `createModelStore` works with. */
export interface ModelStoreOptions {
  /** Absolute folder of the store; it is made when it is not there. */
  readonly root: string
  /** Absolute folders that `file:` may name things below; relative paths are of the first. */
  readonly fileRoots?: readonly string[]
  /** `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HOME`, `HF_ENDPOINT`, `HOME`: how the Hub is asked. */
  readonly env?: HubEnv
  readonly egress?: EgressOptions
  readonly clock: Clock
  readonly log: Logger
  /** Asked before each fetch: true while nothing may be fetched (airgapped). */
  isOffline?(): boolean
  /** Models that must not be removed, such as those an engine has open. */
  isInUse?(model: StoredModel): boolean
  /** User and password of a registry, for `oci:` and `ollama:`. */
  credentialsOf?(host: string): RegistryCredentials | undefined
  /** Files that are fetched at once, of all models. Default 3. */
  readonly maxConcurrent?: number
  /** Bytes of the disk that stay free. Default 1 GiB. */
  readonly headroomBytes?: number
  /** Frees models that are not in use when the disk is short. Default false. */
  readonly isCollecting?: boolean
  /** Until a source answers. Default 30 s. */
  readonly answerMs?: number
  /** Longest silence of a source. Default 60 s. */
  readonly silenceMs?: number
  /** Default: 6 failures in a row, the first after 500 ms. */
  readonly retry?: RetryOptions
  /** Finds the addresses of a host. Default: the system's resolver. */
  readonly resolve?: Resolve
}

/** Files that are fetched at once unless told otherwise. */
export const DEFAULT_MAX_CONCURRENT = 3
/** Room that stays free unless told otherwise. */
export const DEFAULT_HEADROOM_BYTES = 2 ** 30
/** How long a source may take to answer. */
export const DEFAULT_ANSWER_MS = 30_000
/** How long a source may be silent: a large file is moved to storage meanwhile. */
export const DEFAULT_SILENCE_MS = 60_000
/** About a minute of trying a source that is down. */
export const DEFAULT_RETRY: RetryOptions = { maxFailures: 6, firstDelayMs: 500 }
