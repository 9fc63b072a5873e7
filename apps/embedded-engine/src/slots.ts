import type { LlamaSequence } from './llama-runtime.ts'

/** What a slot is doing, as `/slots` shows it. */
export interface SlotTask {
  readonly id: number
  readonly params: Readonly<Record<string, unknown>>
  readonly promptTokens: number
  readonly maxTokens: number
  promptTokensDone: number
  decodedTokens: number
}

export interface Slot {
  readonly id: number
  readonly sequence: LlamaSequence
  task: SlotTask | undefined
}

export type Acquired =
  | { readonly kind: 'slot'; readonly slot: Slot }
  | { readonly kind: 'full' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'closed' }

/** The slots of the engine and the requests that wait for one, first come, first served. */
export interface Slots {
  readonly all: readonly Slot[]
  readonly busyCount: number
  readonly waitingCount: number
  /** `full`: as many wait as may. `gone`: `signal` aborted first. `closed`: the engine stops. */
  acquire(signal: AbortSignal): Promise<Acquired>
  /** Gives a slot back, to the next that waits. */
  release(slot: Slot): void
  /** Sends everyone who waits or comes away. */
  close(): void
}

export const createSlots = (sequences: readonly LlamaSequence[], maxQueued: number): Slots => {
  const all = sequences.map((sequence, id): Slot => ({ id, sequence, task: undefined }))
  const free = [...all]
  const waiting = new Set<(acquired: Acquired) => void>()
  let isClosed = false
  return {
    all,
    get busyCount() {
      return all.length - free.length
    },
    get waitingCount() {
      return waiting.size
    },
    acquire: async (signal) => {
      if (signal.aborted) return { kind: 'gone' }
      if (isClosed) return { kind: 'closed' }
      const slot = free.shift()
      if (slot) return { kind: 'slot', slot }
      if (waiting.size >= maxQueued) return { kind: 'full' }
      return new Promise((resolve) => {
        const settle = (acquired: Acquired): void => {
          waiting.delete(settle)
          signal.removeEventListener('abort', onAbort)
          resolve(acquired)
        }
        const onAbort = (): void => settle({ kind: 'gone' })
        signal.addEventListener('abort', onAbort, { once: true })
        waiting.add(settle)
      })
    },
    release: (slot) => {
      slot.task = undefined
      const [next] = waiting
      if (next) next({ kind: 'slot', slot })
      else free.push(slot)
    },
    close: () => {
      isClosed = true
      for (const settle of waiting) settle({ kind: 'closed' })
    },
  }
}
