import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** The variable that marks an engine process, and what it starts, as an instance. */
export const INSTANCE_VARIABLE = 'BERTH_INSTANCE_ID'

/** Says of which state directory that instance is: several agents may share a machine. */
export const AGENT_VARIABLE = 'BERTH_AGENT_ID'

/** Names the command line of a process without keeping it; empty when it cannot be read. */
export const hashOfProcess = (pid: number): string => {
  const bytes = read(`/proc/${pid}/cmdline`)
  return bytes ? createHash('sha256').update(bytes).digest('hex') : ''
}

/** The same of a command line that is to be. */
export const hashOfArgv = (argv: readonly string[]): string =>
  createHash('sha256')
    .update(argv.map((word) => `${word}\0`).join(''))
    .digest('hex')

/** What marks a process as ours. */
export interface Marks {
  readonly instanceId: string | undefined
  readonly agentId: string | undefined
}

/** The marks in the environment a process was started with. */
export const readMarks = (pid: number): Marks => {
  const text = read(`/proc/${pid}/environ`)?.toString('latin1') ?? ''
  const valueOf = (name: string) =>
    text
      .split('\0')
      .find((entry) => entry.startsWith(`${name}=`))
      ?.slice(name.length + 1)
  return text.includes('BERTH_')
    ? { instanceId: valueOf(INSTANCE_VARIABLE), agentId: valueOf(AGENT_VARIABLE) }
    : { instanceId: undefined, agentId: undefined }
}

/** Groups of the processes whose marks are asked for. Linux only. */
export const findMarkedGroups = (isWanted: (marks: Marks) => boolean): number[] =>
  pids().flatMap((pid) => (isWanted(readMarks(pid)) ? groupOf(pid) : []))

/** The processes of a group, its leader among them. Linux only. */
export const pidsOfGroup = (group: number): number[] =>
  pids().filter((pid) => groupOf(pid).includes(group))

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
