import type { Logger } from '@berth/runtime'
import { findCgroups } from './cgroup.ts'
import type { LaunchEnv } from './launch-instance.ts'
import { findPrivileges } from './privileges.ts'

/**
 * What keeps engines apart from the agent and from each other on this host, and the end of what
 * earlier lives left in control groups. Throws `CONFIG_INVALID` for a user that cannot be had.
 */
export const findConfinement = async (
  of: {
    readonly engineUser: string | undefined
    /** Of the agent. */
    readonly uid: number
    readonly path: string | undefined
    readonly agentId: string
    /** Instances that run on. */
    readonly kept: Iterable<{ readonly instanceId: string }>
  },
  log: Logger,
): Promise<Pick<LaunchEnv, 'privileges' | 'cgroups'>> => {
  const privileges = await findPrivileges(of.engineUser, of)
  const cgroups = await findCgroups(of.agentId, log)
  await cgroups?.sweep(new Set([...of.kept].map(({ instanceId }) => instanceId)))
  if (of.uid === 0 && !privileges)
    log.warn('engines run as root with all it may do: setpriv is not on PATH, install util-linux')
  return { ...(privileges ? { privileges } : {}), ...(cgroups ? { cgroups } : {}) }
}
