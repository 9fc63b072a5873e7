import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomUuid, type Rng } from '@berth/kernel'
import { writeAtomically } from './write-atomically.ts'

/** The lasting name of a state directory, made on its first use. */
export const readAgentId = async (stateDir: string, rng: Rng): Promise<string> => {
  const path = join(stateDir, 'agent-id')
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (known.trim() !== '') return known.trim()
  const made = randomUuid(rng)
  await writeAtomically(path, `${made}\n`)
  return made
}
