import { isRunning } from '@berth/runtime'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import type { JournalEntry, JournalProcess } from './journal.ts'
import { hashOfProcess, readMarks } from './process-scan.ts'
import { hashOfSpec } from './spec-hash.ts'

/** A journalled engine process that runs on and is what its pool wants. */
export type AdoptableEntry = JournalEntry & { readonly process: JournalProcess }

export interface SortedJournal {
  /** By pool id. */
  readonly adoptable: ReadonlyMap<string, AdoptableEntry>
  /** What is in the way of taking over the others. */
  readonly leftovers: readonly { readonly entry: JournalEntry; readonly reason: string }[]
}

/** Tells the engines of an earlier life that can be taken over from those that have to end. */
export const sortJournal = (
  entries: readonly JournalEntry[],
  specs: readonly PoolSpec[],
  bootId: string,
): SortedJournal => {
  const adoptable = new Map<string, AdoptableEntry>()
  const leftovers: { entry: JournalEntry; reason: string }[] = []
  // The newest first: of two of one pool, the later one is its engine.
  for (const entry of entries.toReversed()) {
    const spec = specs.find(({ poolId }) => poolId === entry.poolId)
    const reason = adoptable.has(entry.poolId)
      ? 'the pool has a newer one'
      : (strangeness(entry, bootId) ?? obsolescence(entry, spec))
    if (reason === undefined) adoptable.set(entry.poolId, entry as AdoptableEntry)
    else leftovers.push({ entry, reason })
  }
  return { adoptable, leftovers }
}

/** A pid names a process only together with all of these; a zombie is none. */
const strangeness = ({ process, instanceId }: JournalEntry, bootId: string) => {
  if (!process) return 'it was being started'
  if (process.bootId !== bootId) return 'the machine was started anew'
  if (!isRunning(process.pid, process.startTime)) return 'it has ended'
  if (hashOfProcess(process.pid) !== process.argvHash) return 'its command line is another'
  return readMarks(process.pid).instanceId === instanceId ? undefined : 'it carries another mark'
}

const obsolescence = (entry: JournalEntry, spec: PoolSpec | undefined) => {
  if (!spec || spec.engine.mode !== 'managed') return 'the pool is no more'
  return hashOfSpec(spec) === entry.specHash ? undefined : 'the pool has changed'
}
