import { sleep, type Clock } from '@berth/kernel'
import { groupHasLiveProcess, killGroup, readStartTime, type Logger } from '@berth/runtime'
import type { JournalEntry } from './journal.ts'
import { findMarkedGroups, hashOfProcess } from './process-scan.ts'

/** SIGKILL takes moments; what outlives this is held by the kernel and is told in the log. */
const REAP_TIMEOUT_MS = 5_000

/**
 * Ends the engines an earlier life of the agent left behind. A process is ours when pid, start
 * time and command line are those of the journal, or when it carries the id of a journalled
 * instance in its environment: a pid that was given to somebody else is never touched.
 */
export const reapOrphans = async (
  entries: readonly JournalEntry[],
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<void> => {
  const groups = new Set([
    ...entries.flatMap(({ process }) => (process && isSame(process) ? [process.pid] : [])),
    ...findMarkedGroups(entries.map(({ instanceId }) => instanceId)),
  ])
  if (groups.size === 0) return
  log.warn({ pids: [...groups] }, 'ending engines of an earlier life')
  const deadline = clock.now() + REAP_TIMEOUT_MS
  for (const group of groups) killGroup(group, 'SIGKILL')
  while ([...groups].some(groupHasLiveProcess)) {
    if (clock.now() >= deadline) {
      log.error({ pids: [...groups].filter(groupHasLiveProcess) }, 'orphans outlive SIGKILL')
      return
    }
    await sleep(clock, 50)
  }
}

const isSame = (process: NonNullable<JournalEntry['process']>): boolean =>
  process.startTime !== '' &&
  readStartTime(process.pid) === process.startTime &&
  hashOfProcess(process.pid) === process.argvHash
