import { join } from 'node:path'
import type { EngineUser } from './privileges.ts'

/** The folders of one instance. */
export interface Room {
  /** Its own, for as long as it lives; nobody else may look into it. */
  readonly cwd: string
  /** Home of the engine user, where caches outlive an instance. */
  readonly home: string
  /** Of its pool: the log of the instance before it is beside it. */
  readonly logPath: string
}

/** Where an instance works and prints. */
export const roomOf = (stateDir: string, poolId: string, instanceId: string): Room => {
  const folder = join(stateDir, 'pools', poolId)
  return {
    cwd: join(folder, `${WORK}${instanceId}`),
    home: join(folder, 'home'),
    logPath: join(folder, 'logs', 'engine.log'),
  }
}

/** How the work folders of instances begin. */
export const WORK = 'work-'

/** Whose the folders are; absent when the engine runs as the agent does. */
export interface RoomOwner {
  readonly owner?: EngineUser
}
