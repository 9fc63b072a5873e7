import { sleep, type Clock } from '@berth/kernel'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { inTenths } from './status-line.ts'
import type { Terminal } from './terminal.ts'

export interface Wait {
  readonly clock: Clock
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** What is waited for, in the words of a progress line: `Starting NATS`. */
  readonly label: string
  /** Counted anew whenever `progress` says something else. */
  readonly timeoutMs: number
  /** What is known of how far it has come, in a few words; empty when nothing is. */
  progress?(): string
  /** What to look at when it takes too long. */
  readonly next: string
}

/**
 * Polls `look` until it returns something, says so with the time it took, and returns that. Rejects
 * with a `CliError` after `timeoutMs`, and with the reason of `signal` when that aborts.
 */
export const waitUntil = async <T>(wait: Wait, look: () => Promise<T | undefined>): Promise<T> =>
  watched(wait, async (elapsedMs) => {
    let seen = { progress: '', atMs: 0 }
    for (;;) {
      const found = await look()
      if (found !== undefined) return found
      const progress = wait.progress?.() ?? ''
      if (progress !== seen.progress) seen = { progress, atMs: elapsedMs() }
      if (elapsedMs() - seen.atMs > wait.timeoutMs) {
        const seconds = Math.round(wait.timeoutMs / 1000)
        throw new CliError(
          EXIT.failed,
          `${wait.label}: not done after ${seconds} s${progress === '' ? '' : ` without progress (${progress})`}.`,
          wait.next,
        )
      }
      await sleep(wait.clock, 100, wait.signal)
    }
  })

/** Shows a step while `work` runs: its elapsed time once it takes over a second, and its end. */
export const watched = async <T>(
  step: Pick<Wait, 'clock' | 'terminal' | 'label' | 'progress'>,
  work: (elapsedMs: () => number) => Promise<T>,
): Promise<T> => {
  const { clock, terminal, label } = step
  const began = clock.now()
  const elapsedMs = () => clock.now() - began
  let cancel = clock.after(1_000, tick)
  function tick() {
    const told = step.progress?.() ?? ''
    const far = told === '' ? '' : ` · ${told}`
    terminal.live(
      `  ${label} ... ${Math.round(elapsedMs() / 1000)} s${far}`,
      inTenths(`  ${label} ...${far}`),
    )
    cancel = clock.after(1_000, tick)
  }
  try {
    const result = await work(elapsedMs)
    terminal.print(`✓ ${label} (${(elapsedMs() / 1000).toFixed(1)} s)`)
    return result
  } finally {
    cancel()
    terminal.clear()
  }
}
