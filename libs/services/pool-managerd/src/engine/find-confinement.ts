import type { Logger } from '@berth/runtime'
import type { PoolSpec } from '../pools-file/pool-spec.ts'
import { findCgroups } from './cgroup.ts'
import { pickRuntime, sweepContainers } from './containers.ts'
import type { LaunchEnv } from './launch-instance.ts'
import { containerEnv } from './prepare-container.ts'
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
    readonly gid: number
    readonly env: Readonly<Record<string, string | undefined>>
    readonly specs: readonly PoolSpec[]
    readonly agentId: string
    /** Instances that run on. */
    readonly kept: Iterable<{ readonly instanceId: string }>
  },
  log: Logger,
): Promise<Pick<LaunchEnv, 'privileges' | 'cgroups' | 'self'>> => {
  const { uid, agentId } = of
  const path = of.env['PATH']
  const privileges = await findPrivileges(of.engineUser, { uid, path })
  const kept = new Set([...of.kept].map(({ instanceId }) => instanceId))
  const cgroups = await findCgroups(agentId, log)
  await cgroups?.sweep(kept)
  const env = containerEnv(of.env)
  for (const wanted of new Set(of.specs.flatMap(({ container }) => container?.runtime ?? [])))
    await sweepContainers(agentId, kept, { ...(await pickRuntime(wanted, path)), env, log })
  if (uid === 0 && !privileges)
    log.warn('engines run as root with all it may do: setpriv is not on PATH, install util-linux')
  return {
    ...(privileges ? { privileges } : {}),
    ...(cgroups ? { cgroups } : {}),
    ...(uid < 0 ? {} : { self: { uid, gid: of.gid } }),
  }
}
