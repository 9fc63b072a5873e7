import { sleep, type Clock } from '@berth/kernel'
import { isRunning } from '@berth/runtime'
import { hashOfArgv } from '../state/process-scan.ts'
import type { Machine } from './machine.ts'

/** What stands before an engine's command line replaces itself with it in some milliseconds. */
const SETTLE_MS = 2_000
const POLL_MS = 5

/**
 * The command line of a process by which a later life of the agent knows it: that of the engine,
 * once what drops its privileges has made way for it. In between there is a moment without any; one
 * that has ended has none.
 */
export const settledHash = async (
  { pid, startTime }: { readonly pid: number; readonly startTime: string },
  { argv, passing }: { readonly argv: readonly string[]; readonly passing: number },
  { machine, clock }: { readonly machine: Machine; readonly clock: Clock },
): Promise<string> => {
  const passingHash = passing === 0 ? '' : hashOfArgv(argv)
  const deadline = clock.now() + SETTLE_MS
  for (;;) {
    const hash = machine.hashOfProcess(pid)
    const isSettled = hash !== '' && hash !== passingHash
    if (isSettled || clock.now() >= deadline || !isRunning(pid, startTime)) return hash
    await sleep(clock, POLL_MS)
  }
}
