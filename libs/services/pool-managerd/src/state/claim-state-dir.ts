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
  const path = join(stateDir, 'agent.lock')
  const holder = await readHolder(path)
  const bootId = readBootId()
  if (
    holder &&
    holder.pid !== pid &&
    holder.bootId === bootId &&
    isRunning(holder.pid, holder.startTime)
  )
    throw new BerthError(
      'CONFIG_INVALID',
      `The agent with pid ${holder.pid} uses the state directory ${stateDir}. ` +
        'Stop it, or give this one a state_dir of its own.',
      { facts: { pid: holder.pid } },
    )
  await writeAtomically(path, JSON.stringify({ pid, startTime: readStartTime(pid), bootId }))
}

/** A lock that cannot be read was not written whole: nobody holds it. */
const readHolder = async (path: string) => {
  const text = await readIfThere(path)
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
