/** What a key may be used for. None implies another. */
export const SCOPES = ['inference', 'operator', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** What one key may spend. An absent limit is none. */
export interface KeyBudget {
  readonly requestsPerMinute?: number
  readonly tokensPerDay?: number
  readonly timeMsPerDay?: number
  /** Millionths of the unit prices are given in. */
  readonly costMicrosPerDay?: number
}

/** One key of the key file. The key itself is known to its holder alone. */
export interface AccessKey {
  /** Names it in logs, as `key:<id>`. */
  readonly id: string
  /** 32 bytes: the SHA-256 of the key. */
  readonly sha256: Uint8Array
  /** Whose work it is: fairness, sessions and prefixes are per tenant. */
  readonly tenant: string
  readonly scopes: ReadonlySet<Scope>
  /** The models it may use; absent: all. */
  readonly models?: ReadonlySet<string>
  readonly budget: KeyBudget
}
