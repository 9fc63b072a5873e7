import { readFileSync } from 'node:fs'

/** Whether a process runs. One that ended and that nobody collected does not. */
export const isAlive = (pid: number): boolean => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(text.slice(text.lastIndexOf(')') + 2))
  } catch {
    // No entry, no process.
    return false
  }
}
