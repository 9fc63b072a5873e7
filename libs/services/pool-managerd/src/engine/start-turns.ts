/** A start that goes on. Released when the engine is ready, or nothing of it is left. */
export interface StartTurn {
  release(): void
}

/** Who may start on which device: one at a time on each, in the order of asking. */
export interface StartTurns {
  /** Waits for its turn; rejects with the signal's reason when it aborts first. */
  take(deviceIds: readonly string[], signal: AbortSignal): Promise<StartTurn>
  /** A start that goes on already: others wait for it, it for nobody. */
  hold(deviceIds: readonly string[]): StartTurn
}

interface Waiter {
  readonly deviceIds: readonly string[]
  readonly grant: () => void
}

/**
 * Two engines that load on one GPU at once each measure memory the other is about to take. A
 * start that needs several GPUs waits for all of them, and none that came later passes it on any.
 */
export const createStartTurns = (): StartTurns => {
  const held = new Map<string, number>()
  let waiting: readonly Waiter[] = []

  const hold = (deviceIds: readonly string[]): StartTurn => {
    for (const id of deviceIds) held.set(id, (held.get(id) ?? 0) + 1)
    let isHeld = true
    return {
      release: () => {
        if (!isHeld) return
        isHeld = false
        for (const id of deviceIds) {
          const left = (held.get(id) ?? 1) - 1
          if (left > 0) held.set(id, left)
          else held.delete(id)
        }
        grantAll()
      },
    }
  }
  const grantAll = () => {
    const wanted = new Set<string>()
    for (const waiter of waiting) {
      const { deviceIds } = waiter
      if (!deviceIds.some((id) => held.has(id) || wanted.has(id))) {
        waiting = waiting.filter((other) => other !== waiter)
        waiter.grant()
      }
      for (const id of deviceIds) wanted.add(id)
    }
  }
  return {
    hold,
    take: (deviceIds, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const onAbort = () => {
          waiting = waiting.filter((other) => other !== waiter)
          grantAll()
          reject(signal.reason as Error)
        }
        const waiter: Waiter = {
          deviceIds,
          grant: () => {
            signal.removeEventListener('abort', onAbort)
            resolve(hold(deviceIds))
          },
        }
        signal.addEventListener('abort', onAbort, { once: true })
        waiting = [...waiting, waiter]
        grantAll()
      }),
  }
}
