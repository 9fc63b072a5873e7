import { join } from 'node:path'
import { randomUuid, type Rng } from '@berth/kernel'
import { readIfThere } from './read-if-there.ts'
import { writeAtomically } from './write-atomically.ts'

/** The lasting name of a state directory, made on its first use. */
export const readAgentId = async (stateDir: string, rng: Rng): Promise<string> => {
  const path = join(stateDir, 'agent-id')
  const known = (await readIfThere(path)).trim()
  if (known !== '') return known
  const made = randomUuid(rng)
  await writeAtomically(path, `${made}\n`)
  return made
}
