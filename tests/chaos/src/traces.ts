import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Descriptors that a process has open. */
export const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** Every file below a folder, by its path in it, sorted. */
export const filesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder, { recursive: true })).toSorted()

/** Engine processes of an agent's state folder that run, by pid. */
export const enginesOf = async (stateDir: string): Promise<readonly number[]> => {
  const mark = `BERTH_AGENT_ID=${(await readFile(join(stateDir, 'agent-id'), 'utf8')).trim()}\0`
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isMarked(pid, mark))
}

/** Entries of the agent's journal of engines. */
export const journalOf = async (stateDir: string): Promise<readonly unknown[]> =>
  JSON.parse(await readFile(join(stateDir, 'instances.json'), 'utf8')) as unknown[]

const isMarked = (pid: number, mark: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)
  } catch {
    // It has ended, is a zombie, or belongs to somebody else.
    return false
  }
}
