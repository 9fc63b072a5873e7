import { sleep, type Clock } from '@berth/kernel'
import { groupHasLiveProcess, killGroup, readStartTime, type Logger } from '@berth/runtime'
import type { JournalEntry, JournalProcess } from './journal.ts'
import { findMarkedGroups, hashOfProcess } from './process-scan.ts'

/** SIGKILL takes moments; what outlives this is held by the kernel and is told in the log. */
const REAP_TIMEOUT_MS = 5_000

/** Which processes of earlier lives have to end. */
export interface Orphans {
  /** Journalled, and not taken over. */
  readonly entries: readonly JournalEntry[]
  /** Instances that are taken over: neither they nor what they started is touched. */
  readonly keptInstanceIds: ReadonlySet<string>
  /** Of this state directory: whatever carries it and is not kept was forgotten by somebody. */
  readonly agentId: string
}

/**
 * Ends the engines that earlier lives of the agent left behind and this one does not take over,
 * whole process groups, and waits until they are gone. A process is ours when pid, start time and
 * command line are those of the journal, or by the marks in its environment: a pid that was given
 * to somebody else is never touched.
 */
export const reapOrphans = async (
  { entries, keptInstanceIds, agentId }: Orphans,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<void> => {
  const journalled = new Set(entries.map(({ instanceId }) => instanceId))
  const groups = new Set([
    ...entries.flatMap(({ process }) => (process && isSame(process) ? [process.pid] : [])),
    ...findMarkedGroups((marks) => {
      const id = marks.instanceId
      if (id === undefined || keptInstanceIds.has(id)) return false
      return journalled.has(id) || marks.agentId === agentId
    }),
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

const isSame = (process: JournalProcess): boolean =>
  process.startTime !== '' &&
  readStartTime(process.pid) === process.startTime &&
  hashOfProcess(process.pid) === process.argvHash
