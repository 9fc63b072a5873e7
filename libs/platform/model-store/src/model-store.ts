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
}

export interface EnsureOptions {
  readonly signal?: AbortSignal
  /** `sha256:` and 64 hex digits a single file must have. */
  readonly digest?: string
  /** Which files of a repository an engine reads: one GGUF file (with its shards), or all it needs. */
  readonly want: 'gguf' | 'snapshot'
  onProgress?(progress: FetchProgress): void
}

/** The model files of one host. Safe to share with the store of another agent on the same folder. */
export interface ModelStore {
  readonly root: string
  /**
   * Brings the files of a model here and says where they are: from the store, else from their
   * source. Callers for the same model share one download. Rejects with a `BerthError`:
   * `MODEL_NOT_FOUND`, `UNAUTHENTICATED` (no or a wrong token), `FORBIDDEN` (gated, or a source that
   * is not allowed), `UNTRUSTED_ARTIFACT` (digest), `INSUFFICIENT_DISK`, `MODEL_LOAD_FAILED`
   * (network, truncated), `INVALID_PARAMS` (reference); and with the signal's reason.
   */
  ensurePresent(ref: string, options: EnsureOptions): Promise<StoredModel>
  /** What is here already, without asking anybody; `undefined` when it is not complete. */
  find(ref: string, options: Pick<EnsureOptions, 'want'>): Promise<StoredModel | undefined>
  /** Everything here, unfinished downloads as well. */
  list(): Promise<readonly StoredModel[]>
  /** Bytes freed. Refuses what is in use (`MODEL_NOT_FOUND`, `ACTIVE_REQUESTS`). */
  remove(ref: string): Promise<number>
  disk(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>
}
