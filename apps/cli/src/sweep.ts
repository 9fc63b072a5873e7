import type { Clock } from '@berth/kernel'
import type { Paths } from './paths.ts'
import { endProcesses, findWriters, isAlive } from './processes.ts'
import { readRunState, type ProcessRecord } from './run-state.ts'

const GRACE_MS = 1_500

export interface Swept {
  readonly count: number
  /** Processes that even SIGKILL did not end. */
  readonly left: readonly ProcessRecord[]
}

/** Ends every process that a fleet of this run folder has left running. */
export const sweep = async (clock: Clock, paths: Paths): Promise<Swept> => {
  const recorded = readRunState(paths)?.services ?? []
  const found = new Map<number, ProcessRecord>()
  for (const record of [...recorded, ...findWriters(paths.runDir)])
    if (isAlive(record)) found.set(record.pid, record)
  const left = await endProcesses(clock, [...found.values()], GRACE_MS)
  return { count: found.size, left }
}
