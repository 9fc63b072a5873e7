/** Which of the two buckets of the ledger. */
export type LedgerBucket = 'budgets' | 'sessions'

/** What is stored under a key. */
export interface LedgerEntry {
  readonly bucket: LedgerBucket
  readonly key: string
  readonly value: Uint8Array
  readonly revision: number
}

/** One change, made only if the entry still has `revision`. */
export interface LedgerWrite {
  readonly bucket: LedgerBucket
  readonly key: string
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined
  /** 0: there is none yet. */
  readonly revision: number
}

/** What became of a change. */
export type LedgerOutcome =
  | { readonly kind: 'stored'; readonly revision: number }
  /** Somebody else wrote: what is there now. */
  | { readonly kind: 'conflict'; readonly found: LedgerEntry | undefined }
  /** Nobody knows. */
  | { readonly kind: 'unavailable' }
