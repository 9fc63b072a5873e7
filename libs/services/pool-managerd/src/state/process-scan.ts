import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** The variable that marks an engine process, and what it starts, as ours. */
export const INSTANCE_VARIABLE = 'BERTH_INSTANCE_ID'

/** Names the command line of a process without keeping it; empty when it cannot be read. */
export const hashOfProcess = (pid: number): string => {
  const bytes = read(`/proc/${pid}/cmdline`)
  return bytes ? createHash('sha256').update(bytes).digest('hex') : ''
}

/** Groups of the processes that carry one of these ids in their environment. Linux only. */
export const findMarkedGroups = (instanceIds: readonly string[]): number[] => {
  const marks = instanceIds.map((id) => Buffer.from(`${INSTANCE_VARIABLE}=${id}\0`))
  if (marks.length === 0) return []
  return pids().flatMap((pid) => {
    const environment = read(`/proc/${pid}/environ`)
    return environment && marks.some((mark) => environment.includes(mark)) ? groupOf(pid) : []
  })
}

/** Field 5 of `/proc/<pid>/stat`, the third after the command name (proc_pid_stat(5)). */
const groupOf = (pid: number): number[] => {
  const text = read(`/proc/${pid}/stat`)?.toString() ?? ''
  const group = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2])
  return group > 1 ? [group] : []
}

const pids = (): number[] => {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    // A system without /proc shows no processes.
    return []
  }
}

const read = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch {
    // It ended, or belongs to somebody else: then it is not ours.
    return undefined
  }
}
