/** Stops on a broken invariant: a bug of ours, never bad input. Stays on in production. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${invariant}`)
}

/** Ends an exhaustive `switch`: a value that reaches it was not handled. */
export const unreachable = (value: never): never => {
  throw new Error(`Unreachable value: ${JSON.stringify(value)}`)
}
