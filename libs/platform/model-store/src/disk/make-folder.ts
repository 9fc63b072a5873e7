import { chmod, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder that engines of other users may read, whatever the umask of the agent. */
export const makeFolder = async (path: string): Promise<void> => {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let at = path; at.length >= first.length; at = dirname(at)) await chmod(at, 0o755)
}
