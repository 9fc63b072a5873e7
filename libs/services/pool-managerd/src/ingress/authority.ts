import { BerthError } from '@berth/kernel'
import type { LeaseKey } from '@berth/lease'

/** Old keys live on for the leases they signed; three leaderships are more than enough. */
const KEYS_KEPT = 3

/** The leader this host obeys, and the keys its leases are signed with. */
export interface Authority {
  /** The highest term seen. */
  readonly term: number
  /** Newest first. */
  readonly keys: readonly LeaseKey[]
  /** Takes note of a term. A lower one than known is `STALE_TERM`; 0 is an operator. */
  admit(term: number): void
  install(term: number, key: LeaseKey): void
}

export const createAuthority = (onChange: () => void): Authority => {
  let highest = 0
  let keys: readonly LeaseKey[] = []
  const admit = (term: number) => {
    if (term !== 0 && term < highest)
      throw new BerthError(
        'STALE_TERM',
        `Term ${term} is over: this host has seen a leader of term ${highest}.`,
        { facts: { term: highest } },
      )
    if (term <= highest) return
    highest = term
    onChange()
  }
  return {
    get term() {
      return highest
    },
    get keys() {
      return keys
    },
    admit,
    install: (term, key) => {
      admit(term)
      keys = [key, ...keys.filter(({ keyId }) => keyId !== key.keyId)].slice(0, KEYS_KEPT)
      onChange()
    },
  }
}
