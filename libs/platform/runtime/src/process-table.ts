import { readdirSync, readFileSync } from 'node:fs'

/**
 * The fields of `/proc/<pid>/stat` after the command name, which may hold spaces and parentheses:
 * `[0]` is field 3, the state. `undefined` when there is no such process, or no `/proc`.
 *
 * Source: proc_pid_stat(5).
 */
const statOf = (pid: number | string): string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    // Not there is the answer.
    return undefined
  }
}

/** Start time in clock ticks since boot (field 22), or `''` where it cannot be told. */
export const readStartTime = (pid: number): string => statOf(pid)?.[19] ?? ''

/** Names this run of the kernel: a pid and a start time of another one mean nothing. */
export const readBootId = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Other systems than Linux have none.
    return ''
  }
}

/** True while that life of the pid runs: it has not ended, nor is it a zombie, nor a later life. */
export const isRunning = (pid: number, startTime: string): boolean => {
  const fields = statOf(pid)
  return fields?.[19] === startTime && fields[0] !== 'Z' && fields[0] !== 'X'
}

/** True while a process of the group runs. Zombies do not: nobody may ever reap an orphan's. */
export const groupHasLiveProcess = (group: number): boolean => {
  try {
    process.kill(-group, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  if (process.platform !== 'linux') return true
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false
    const [state, , processGroup] = statOf(name) ?? []
    return processGroup === String(group) && state !== 'Z' && state !== 'X'
  })
}
