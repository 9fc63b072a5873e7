import type { ModelManifest } from './manifest.ts'
import { isMarkAlive, isOfThisBoot, isSameProcess, markOfThisProcess } from './process-mark.ts'

const MAX_USERS = 16

/** The agents that used the model in their lives, with this one; those that ended are gone. */
export const withThisUser = ({ users = [] }: ModelManifest): ModelManifest['users'] => {
  const me = markOfThisProcess()
  const others = users.filter((user) => !isSameProcess(user, me) && isMarkAlive(user) !== false)
  return [...others.slice(1 - MAX_USERS), me]
}

/**
 * True when another agent on this folder may still use it: it did in its life, and lives, or
 * stands in another container where that cannot be seen. Marks of an earlier boot count nothing.
 */
export const isUsedByOthers = ({ users = [] }: ModelManifest): boolean => {
  const me = markOfThisProcess()
  return users.some((user) => !isSameProcess(user, me) && (isMarkAlive(user) ?? isOfThisBoot(user)))
}
