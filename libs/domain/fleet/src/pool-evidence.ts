/**
 * What core has learnt of a pool by what it granted there. The functions that read and change it
 * are those of `@berth/placement`; it hangs on the view so that it ends with the pool.
 */
export interface PoolEvidence {
  /** When the prompts granted so far will have been read, on the caller's clock. */
  backlogEndMs: number
  /** Reading time of all prompts ever granted, in milliseconds. */
  grantedPrefillMs: number
}

/** Of a pool nothing is known of yet. */
export const createPoolEvidence = (): PoolEvidence => ({ backlogEndMs: 0, grantedPrefillMs: 0 })
