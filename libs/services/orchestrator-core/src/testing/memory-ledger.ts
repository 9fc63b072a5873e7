import type { LedgerEntry, LedgerOutcome, LedgerWrite } from '../ledger-port.ts'

/** What outlives leaders, without a bus. */
export interface MemoryLedger {
  readonly entries: Map<string, LedgerEntry>
  /** Answers nothing and changes nothing. */
  isDown: boolean
  apply(writes: readonly LedgerWrite[]): LedgerOutcome[]
  /** What is stored under a key, as its writer wrote it. */
  read(key: string): Record<string, unknown> | undefined
}

/** An empty store. */
export const createMemoryLedger = (): MemoryLedger => {
  const entries = new Map<string, LedgerEntry>()
  let revision = 0
  const change = ({ bucket, key, value, revision: expected }: LedgerWrite): LedgerOutcome => {
    const name = `${bucket}:${key}`
    const found = entries.get(name)
    if ((found?.revision ?? 0) !== expected) return { kind: 'conflict', found }
    revision += 1
    if (value === undefined) entries.delete(name)
    else entries.set(name, { bucket, key, value, revision })
    return { kind: 'stored', revision: value === undefined ? 0 : revision }
  }
  const store: MemoryLedger = {
    entries,
    isDown: false,
    apply: (writes) => writes.map((one) => (store.isDown ? { kind: 'unavailable' } : change(one))),
    read: (key) => {
      const entry = [...entries.values()].find((one) => one.key === key)
      return entry && (JSON.parse(new TextDecoder().decode(entry.value)) as Record<string, unknown>)
    },
  }
  return store
}
