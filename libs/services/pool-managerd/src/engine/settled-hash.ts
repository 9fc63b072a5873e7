import { sleep, type Clock } from '@berth/kernel'
import { hashOfArgv } from '../state/process-scan.ts'
import type { Machine } from './machine.ts'

/** What stands before an engine's command line replaces itself with it in some milliseconds. */
const SETTLE_MS = 2_000
const POLL_MS = 5

/**
 * The command line of a process by which a later life of the agent knows it: that of the engine,
 * once what drops its privileges has made way for it.
 */
export const settledHash = async (
  pid: number,
  { argv, prefix }: { readonly argv: readonly string[]; readonly prefix: readonly string[] },
  { machine, clock }: { readonly machine: Machine; readonly clock: Clock },
): Promise<string> => {
  const passing = prefix.length === 0 ? '' : hashOfArgv([...prefix, ...argv])
  const deadline = clock.now() + SETTLE_MS
  for (;;) {
    const hash = machine.hashOfProcess(pid)
    if (hash !== passing || clock.now() >= deadline) return hash
    await sleep(clock, POLL_MS)
  }
}
