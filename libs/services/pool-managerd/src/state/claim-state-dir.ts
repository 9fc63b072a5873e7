import { join } from 'node:path'
import { BerthError } from '@berth/kernel'
import { isRunning, readBootId, readStartTime } from '@berth/runtime'
import { z } from 'zod'
import { readIfThere } from './read-if-there.ts'
import { writeAtomically } from './write-atomically.ts'

const holderSchema = z.object({ pid: z.number(), startTime: z.string(), bootId: z.string() })

/**
 * Makes the state directory that of this process, for as long as it runs. Two agents on one would
 * each take the other's engines for orphans. Throws `CONFIG_INVALID` while another one runs.
 */
export const claimStateDir = async (stateDir: string, pid: number): Promise<void> => {
  const holder = await agentOf(stateDir)
  if (holder !== undefined && holder !== pid)
    throw new BerthError(
      'CONFIG_INVALID',
      `The agent with pid ${holder} uses the state directory ${stateDir}. ` +
        'Stop it, or give this one a state_dir of its own.',
      { facts: { pid: holder } },
    )
  const claim = { pid, startTime: readStartTime(pid), bootId: readBootId() }
  await writeAtomically(pathOf(stateDir), JSON.stringify(claim))
}

/** The pid of the agent that runs on a state directory; `undefined` when none does. */
export const agentOf = async (stateDir: string): Promise<number | undefined> => {
  const holder = await readHolder(pathOf(stateDir))
  return holder?.bootId === readBootId() && isRunning(holder.pid, holder.startTime)
    ? holder.pid
    : undefined
}

const pathOf = (stateDir: string) => join(stateDir, 'agent.lock')

/** A lock that cannot be read was not written whole: nobody holds it. */
const readHolder = async (path: string) => {
  const text = await readIfThere(path)
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
