/** The slots of one model. A request beyond them waits in arrival order. */
export interface Slots {
  /** The id of the slot taken, or undefined when the signal aborted first. */
  take(signal: AbortSignal): Promise<number | undefined>
  give(slot: number): void
  /** Hands out slots that a higher `slots` knob made. */
  refill(): void
}

export const createSlots = (count: () => number): Slots => {
  const busy = new Set<number>()
  const waiting = new Set<(slot: number) => void>()
  const freeSlot = () => Array.from({ length: count() }, (_, i) => i).find((i) => !busy.has(i))
  const refill = () => {
    for (const grant of waiting) {
      const slot = freeSlot()
      if (slot === undefined) return
      waiting.delete(grant)
      busy.add(slot)
      grant(slot)
    }
  }
  return {
    take: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve(undefined)
        const grant = (slot: number) => {
          signal.removeEventListener('abort', leave)
          resolve(slot)
        }
        const leave = () => {
          waiting.delete(grant)
          resolve(undefined)
        }
        signal.addEventListener('abort', leave, { once: true })
        waiting.add(grant)
        refill()
      }),
    give: (slot) => {
      busy.delete(slot)
      refill()
    },
    refill,
  }
}
