/** How far the files of a model have come. */
export interface FetchProgress {
  readonly bytesDone: number
  /** Absent while the source has not said. */
  readonly bytesTotal?: number
  /** In words of people, such as `downloading model-00001-of-00004.safetensors`. */
  readonly step: string
}

/** A model whose files are on this machine. */
export interface StoredModel {
  /** As it was asked for. */
  readonly ref: string
  /** A single file (GGUF), or the folder of a snapshot. Absolute. */
  readonly path: string
  readonly kind: 'file' | 'snapshot'
  readonly sizeBytes: number
  /** `sha256:` and 64 hex digits of a single file that was verified; absent when none is known. */
  readonly digest?: string
  /** The commit that a `hf:` reference came to. */
  readonly revision?: string
  /** False: a download that did not end, of which `bytesDone` are there. */
  readonly isComplete: boolean
  readonly bytesDone: number
  /** Unix milliseconds. */
  readonly lastUsedAtMs: number
  /** Unix milliseconds; absent while unfinished and for files that the store did not fetch. */
  readonly fetchedAtMs?: number
  /** Never freed by `collect`. True as well of what was put into the store by hand. */
  readonly isPinned?: boolean
  /** False: a file of the operator's, which the store shows and never removes. Absent is true. */
  readonly isOurs?: boolean
}

/** How a model is wanted, and who follows its way here. */
export interface EnsureOptions {
  readonly signal?: AbortSignal
  /** `sha256:` and 64 hex digits a single file must have. */
  readonly digest?: string
  /** Which files of a repository an engine reads: one GGUF file (with its shards), or all it needs. */
  readonly want: 'gguf' | 'snapshot'
  /** Of a repository only the files that match one of these: `*` any but `/`, `**` any. */
  readonly allow?: readonly string[]
  /** Of a repository none of the files that match one of these. */
  readonly ignore?: readonly string[]
  /** Asks the source what a branch or tag means now, though files of it are here already. */
  readonly isRefresh?: boolean
  /** Nothing may be fetched for this one: only what is complete here counts. */
  readonly isOffline?: boolean
  onProgress?(progress: FetchProgress): void
}

/** What `collect` may free. */
export interface CollectOptions {
  /** Bytes that have to become free, beyond what is free now. */
  readonly needBytes: number
  /** Beside the store's own `isInUse`. */
  isInUse?(model: StoredModel): boolean
}

/** What `collect` freed. */
export interface Collected {
  readonly freedBytes: number
  /** References of the models that went, least recently used first. */
  readonly removed: readonly string[]
}

/** The model files of one host. Another agent may have a store on the same folder. */
export interface ModelStore {
  readonly root: string
  /** Where snapshots of the Hub stand, in the layout of its own cache: an `HF_HUB_CACHE`. */
  readonly hubDir: string
  /**
   * Brings the files of a model here and says where they are: from the store, else from their
   * source. Callers for the same model share one download. Rejects with a `BerthError`:
   * `MODEL_NOT_FOUND` (also: offline and not complete here), `UNAUTHENTICATED` (no or a wrong
   * token), `FORBIDDEN` (gated, or a source that is not allowed), `UNTRUSTED_ARTIFACT` (digest),
   * `INSUFFICIENT_DISK`, `MODEL_LOAD_FAILED` (network, truncated), `INVALID_PARAMS` (reference);
   * and with the signal's reason.
   */
  ensurePresent(ref: string, options: EnsureOptions): Promise<StoredModel>
  /** What is here already, without asking anybody; `undefined` when it is not complete. */
  find(
    ref: string,
    options: Pick<EnsureOptions, 'want' | 'allow' | 'ignore'>,
  ): Promise<StoredModel | undefined>
  /** Everything here, unfinished downloads as well. */
  list(): Promise<readonly StoredModel[]>
  /**
   * Bytes freed; fewer than its size where another model has the same files. Rejects with
   * `MODEL_NOT_FOUND`, `ACTIVE_REQUESTS` (in use, or being fetched by anyone) and
   * `UNSUPPORTED_OPERATION` (`file:`).
   */
  remove(ref: string): Promise<number>
  disk(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>
  /** Notes that the model is used now. Of what is not here, nothing. */
  touch(ref: string): Promise<void>
  /** A pinned model is never freed by `collect`. Rejects with `MODEL_NOT_FOUND`. */
  pin(ref: string, isPinned: boolean): Promise<void>
  /**
   * Frees complete models, least recently used first, until `needBytes` more are free or nothing
   * is left that may go: none in use, pinned, being fetched, outside the store, or used by another
   * agent on this folder in its life.
   */
  collect(options: CollectOptions): Promise<Collected>
  /** Stops every download and waits for their ends; unfinished files stay to be resumed. */
  close(): Promise<void>
}
