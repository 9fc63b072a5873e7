import type { Cancel } from '@berth/kernel'
import type { Flow } from './activity.ts'

/** A slot in use: one request in the engine. */
export interface Lease {
  readonly leaseId: string
  readonly modelId: string
  /** Ends the request with a terminal error. */
  abort(): void
  /** What it does now. Absent: not known, so it counts as waiting for the engine. */
  flow?(): Flow
}

/** The slots of a pool. A lease takes one and gives it back exactly once. */
export interface Slots {
  readonly total: number
  readonly free: number
  readonly active: number
  readonly leases: readonly Lease[]
  /** What the engine says it can run at once. Leases beyond it are let end. */
  resize(total: number): void
  /** Takes a slot, or `undefined` when none is free. The answer gives it back, once. */
  take(lease: Lease): (() => void) | undefined
  /** Calls `fn` when no slot is in use, at once when none is now. */
  whenIdle(fn: () => void): Cancel
}

export const createSlots = (initialTotal: number, onChange: () => void): Slots => {
  const leases = new Set<Lease>()
  const waiting = new Set<() => void>()
  let total = initialTotal

  const release = (lease: Lease) => {
    if (!leases.delete(lease)) return
    onChange()
    if (leases.size > 0) return
    for (const fn of [...waiting]) {
      waiting.delete(fn)
      fn()
    }
  }
  return {
    get total() {
      return total
    },
    get free() {
      return Math.max(0, total - leases.size)
    },
    get active() {
      return leases.size
    },
    get leases() {
      return [...leases]
    },
    resize: (next) => {
      if (next === total) return
      total = next
      onChange()
    },
    take: (lease) => {
      if (leases.size >= total) return undefined
      leases.add(lease)
      onChange()
      return () => release(lease)
    },
    whenIdle: (fn) => {
      if (leases.size > 0) waiting.add(fn)
      else queueMicrotask(fn)
      return () => waiting.delete(fn)
    },
  }
}
