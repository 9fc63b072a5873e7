import { createHash } from 'node:crypto'
import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import pino from 'pino'

/** Everything a simulation did, as lines. Only the last of them are kept; all of them count. */
export interface Trace {
  add(node: string, what: string): void
  /** A logger whose lines become lines of the trace. */
  loggerOf(node: string): Logger
  readonly lines: number
  /** The last lines, oldest first. */
  tail(): readonly string[]
  /** Names the whole run: same seed and code, same digest. */
  digest(): string
}

const KEPT = 400

/** A trace on the fleet's clock. `keep` is how many lines stay readable. */
export const createTrace = (clock: Clock, keep = KEPT): Trace => {
  const hash = createHash('sha256')
  const kept: string[] = []
  let lines = 0

  const add = (node: string, what: string) => {
    const line = `${clock.now()} ${node} ${what}`
    hash.update(line).update('\n')
    lines += 1
    kept.push(line)
    if (kept.length > 2 * keep) kept.splice(0, keep)
  }
  return {
    add,
    loggerOf: (node) =>
      pino(
        { base: null, timestamp: false, level: 'debug' },
        { write: (line) => add(node, line.trimEnd()) },
      ),
    get lines() {
      return lines
    },
    tail: () => kept.slice(-keep),
    digest: () => hash.copy().digest('hex').slice(0, 16),
  }
}
