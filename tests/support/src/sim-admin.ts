/** What a simulated engine says of itself. */
export interface SimState {
  readonly pid: number
  readonly phase: string
  readonly counters: Readonly<Record<string, number>>
  readonly requests: readonly Readonly<Record<string, unknown>>[]
}

/** The admin routes of one simulated engine. */
export interface SimAdmin {
  readonly url: string
  state(): Promise<SimState>
  /** Turns knobs while it runs, by their snake_case names. */
  turn(knobs: Readonly<Record<string, unknown>>): Promise<void>
}

const DEADLINE_MS = 5_000

export const simAdmin = (url: string): SimAdmin => ({
  url,
  state: async () => {
    const answer = await fetch(`${url}/__sim/state`, { signal: AbortSignal.timeout(DEADLINE_MS) })
    return (await answer.json()) as SimState
  },
  turn: async (knobs) => {
    const answer = await fetch(`${url}/__sim/knobs`, {
      method: 'POST',
      body: JSON.stringify(knobs),
    })
    if (!answer.ok) throw new Error(`The engine refused the knobs: ${await answer.text()}`)
  },
})
