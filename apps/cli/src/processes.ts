import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { sleep, type Clock } from '@berth/kernel'
import { readStartTime } from '@berth/runtime'
import type { ProcessRecord } from './run-state.ts'

export const recordOf = (name: string, pid: number): ProcessRecord => ({
  name,
  pid,
  startTime: readStartTime(pid),
})

/** True while that life of the process runs, not merely its pid. A zombie does not run. */
export const isAlive = ({ pid, startTime }: ProcessRecord): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return readStartTime(pid) === startTime && !isZombie(pid)
}

const isZombie = (pid: number): boolean =>
  /^State:\s+Z/m.test(orEmpty(() => readFileSync(`/proc/${pid}/status`, 'utf8')))

/**
 * Processes whose output goes to a file under `folder`: all that a fleet started, engines that
 * outlived their agent included. Only where there is a `/proc`; elsewhere none are found.
 */
export const findWriters = (folder: string): ProcessRecord[] =>
  orNone(() => readdirSync('/proc'))
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      [1, 2].some((fd) =>
        orEmpty(() => readlinkSync(`/proc/${pid}/fd/${fd}`)).startsWith(`${folder}/`),
      ),
    )
    .map((pid) => recordOf(commandOf(pid), Number(pid)))

const commandOf = (pid: string): string =>
  orEmpty(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    .split('\0')
    .slice(0, 2)
    .join(' ')

/** A process may end between two looks at it: then there is nothing to read. */
const orEmpty = (read: () => string): string => {
  try {
    return read()
  } catch {
    return ''
  }
}

const orNone = (read: () => string[]): string[] => {
  try {
    return read()
  } catch {
    return []
  }
}

/**
 * Ends processes: SIGTERM, SIGKILL after `graceMs`, and the groups they lead with them. Resolves
 * when none runs any more, or two seconds after SIGKILL with those that still do.
 */
export const endProcesses = async (
  clock: Clock,
  records: readonly ProcessRecord[],
  graceMs: number,
): Promise<readonly ProcessRecord[]> => {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 2_000],
  ] as const) {
    for (const record of records) signalTree(record, signal)
    const giveUpAt = clock.now() + waitMs
    while (records.some(isAlive) && clock.now() < giveUpAt) await sleep(clock, 50)
  }
  return records.filter(isAlive)
}

const signalTree = (record: ProcessRecord, signal: 'SIGTERM' | 'SIGKILL'): void => {
  if (!isAlive(record)) return
  for (const target of [-record.pid, record.pid]) {
    try {
      // Once: a second signal tells `up` to wait for nothing.
      return void process.kill(target, signal)
    } catch (error) {
      // It leads no group, or has ended since the look.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
