import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { WORK, type Room, type RoomOwner } from './room.ts'
import { rotateLog } from './rotate-log.ts'

/**
 * Makes the folders of an instance, for its user alone, removes what earlier ones left behind, and
 * puts the log of the last one aside.
 */
export const makeRoom = async ({ cwd, home, logPath, owner }: Room & RoomOwner): Promise<void> => {
  const folder = dirname(cwd)
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder))
    if (name.startsWith(WORK) && name !== basename(cwd)) await clearRoom(join(folder, name))
  for (const own of owner ? [cwd, home] : [cwd]) {
    await mkdir(own, { recursive: true, mode: 0o700 })
    await chmod(own, 0o700)
    if (owner) await chown(own, owner.uid, owner.gid)
  }
  await mkdir(dirname(logPath), { recursive: true })
  await rotateLog(logPath)
}

/** Removes the work folder of an instance that is no more. */
export const clearRoom = (cwd: string): Promise<void> => rm(cwd, { recursive: true, force: true })
