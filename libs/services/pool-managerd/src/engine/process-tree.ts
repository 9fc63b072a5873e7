import { readdirSync, readFileSync } from 'node:fs'
import { kill } from 'node:process'
import { readMarks } from '../state/process-scan.ts'

/** One life of a process: a pid alone may name another one later. */
export interface TreeMember {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`. */
  readonly startTime: string
}

interface Seen extends TreeMember {
  readonly parent: number
}

/**
 * Every process of an instance that runs: those that carry its mark, whatever group or session
 * they went to, and what they started with an environment of its own. Linux only.
 */
export const findTree = (instanceId: string): readonly TreeMember[] => {
  const seen = running()
  const members = new Set(
    seen.filter(({ pid }) => readMarks(pid).instanceId === instanceId).map(({ pid }) => pid),
  )
  for (let before = -1; before !== members.size;) {
    before = members.size
    for (const { pid, parent } of seen) if (members.has(parent)) members.add(pid)
  }
  return seen
    .filter(({ pid }) => members.has(pid))
    .map(({ pid, startTime }) => ({ pid, startTime }))
}

/** Ends them with SIGKILL, each only while it is still that life of its pid. */
export const killTree = (members: readonly TreeMember[]): void => {
  for (const { pid, startTime } of members) {
    if (seenOf(pid)?.startTime !== startTime) continue
    try {
      kill(pid, 'SIGKILL')
    } catch (error) {
      // It ended between the look and the signal: what was wanted has happened.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

const running = (): readonly Seen[] => {
  try {
    return readdirSync('/proc').flatMap((name) =>
      /^\d+$/.test(name) ? (seenOf(Number(name)) ?? []) : [],
    )
  } catch {
    // A system without /proc shows no processes.
    return []
  }
}

/** Source: proc_pid_stat(5); fields 3, 4 and 22 stand first, second and twentieth here. */
const seenOf = (pid: number): Seen | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [state, parent] = fields
    if (state === 'Z' || state === 'X') return undefined
    return { pid, parent: Number(parent), startTime: fields[19] ?? '' }
  } catch {
    // It ended meanwhile.
    return undefined
  }
}
