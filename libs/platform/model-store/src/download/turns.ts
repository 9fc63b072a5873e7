/** So many at a time, first come first served. Bounded by its callers: one wait each. */
export const createTurns = (max: number) => {
  let running = 0
  const waiting: (() => void)[] = []
  // A turn goes straight to who waits longest, so that no newcomer slips in between.
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
  /** Resolves to the end of the turn; rejects with the signal's reason. */
  const take = async (signal: AbortSignal): Promise<() => void> => {
    signal.throwIfAborted()
    if (running >= max) await waitForTurn(waiting, signal)
    else running++
    return leave
  }
  return { take }
}

/** See `createTurns`. */
export type Turns = ReturnType<typeof createTurns>

const waitForTurn = (waiting: (() => void)[], signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const go = () => {
      signal.removeEventListener('abort', give)
      resolve()
    }
    const give = () => {
      const at = waiting.indexOf(go)
      if (at >= 0) waiting.splice(at, 1)
      reject(signal.reason as Error)
    }
    waiting.push(go)
    signal.addEventListener('abort', give, { once: true })
  })
