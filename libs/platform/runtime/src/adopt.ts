import { groupHasLiveProcess, isRunning, readStartTime } from './process-table.ts'
import { killGroup, type Child, type ChildExit } from './spawn.ts'

/** Leads a process group, and was started by an earlier life of this program. */
export interface KnownProcess {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`. */
  readonly startTime: string
}

/** Watches a process that is no child of ours. */
export type Adopt = (known: KnownProcess) => Child

/** A look at one file of /proc: cheap, and soon enough for a restart to follow at once. */
const LOOK_MS = 200

/**
 * The real `Adopt`. The kernel tells nobody but the parent how a process ended: its exit has
 * neither code nor signal. Does not keep this process alive; `release` ends the watch.
 */
export const adoptProcess: Adopt = ({ pid, startTime }) => {
  const listeners = new Set<(exit: ChildExit) => void>()
  const unknown: ChildExit = { code: null, signal: null }
  let hasExited = false
  let groupEnded = false
  const look = () => {
    if (hasExited || isRunning(pid, startTime)) return
    hasExited = true
    clearInterval(timer)
    for (const fn of listeners) fn(unknown)
    listeners.clear()
  }
  const timer = setInterval(look, LOOK_MS)
  timer.unref()

  const groupIsAlive = () => {
    // The id of a group is free only when nobody is left in it: then it may name others.
    const successor = readStartTime(pid)
    groupEnded ||= (successor !== '' && successor !== startTime) || !groupHasLiveProcess(pid)
    return !groupEnded
  }
  return {
    pid,
    startTime,
    onExit: (fn) => {
      if (hasExited) queueMicrotask(() => fn(unknown))
      else listeners.add(fn)
    },
    signalGroup: (signal) => {
      if (groupIsAlive()) killGroup(pid, signal)
    },
    groupIsAlive,
    release: () => {
      clearInterval(timer)
      listeners.clear()
    },
  }
}
