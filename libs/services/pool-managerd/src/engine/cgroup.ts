import { writeFileSync } from 'node:fs'
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'

/** The control group of one instance: whatever it starts stays in it. */
export interface Cgroup {
  /** Takes a process in. What it starts later is in it too. */
  add(pid: number): Promise<void>
  /** SIGKILL for all of it, at once and whatever forks meanwhile. */
  kill(): void
  /** Once nothing is left in it. */
  remove(): Promise<void>
}

/** The control groups of an agent's engines. */
export interface Cgroups {
  /** Makes it, or finds that of an earlier life of the agent. */
  open(instanceId: string): Promise<Cgroup | undefined>
  /** Ends what earlier lives have left, but for the instances named. */
  sweep(kept: ReadonlySet<string>): Promise<void>
}

/** Where version 2 is mounted and this process is in it; absent where either is not so. */
export interface CgroupHome {
  readonly path: string
}

/**
 * Groups below the agent's own, where it may make them: as root, and where systemd has delegated.
 * Elsewhere `undefined`, and engines stay in the group of the agent.
 *
 * Source: https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
export const findCgroups = async (
  agentId: string,
  log: Logger,
  home?: CgroupHome,
): Promise<Cgroups | undefined> => {
  const { path } = home ?? (await findHome()) ?? {}
  if (path === undefined) return undefined
  const folder = join(path, `berth-${agentId.slice(0, 8)}`)
  try {
    await mkdir(folder, { recursive: true })
    await access(join(folder, 'cgroup.kill'))
    await removeEmpty(folder)
  } catch (error) {
    log.info({ path: folder, error: messageOf(error) }, 'engines get no control group of their own')
    return undefined
  }
  const open = async (instanceId: string) => {
    const own = join(folder, instanceId)
    try {
      await mkdir(own, { recursive: true })
      return cgroupAt(own, log)
    } catch (error) {
      log.warn({ path: own, error: messageOf(error) }, 'control group cannot be made')
      return undefined
    }
  }
  return {
    open,
    sweep: async (kept) => {
      for (const name of await foldersIn(folder)) {
        if (kept.has(name)) continue
        const left = cgroupAt(join(folder, name), log)
        left.kill()
        await left.remove()
      }
      await sweepEmpty(path)
    },
  }
}

/** Groups that nothing is in, of agents that ended before they could remove them. */
const sweepEmpty = async (home: string): Promise<void> => {
  for (const name of await foldersIn(home)) {
    if (!/^berth-[0-9a-f]{8}$/.test(name)) continue
    const folder = join(home, name)
    for (const instance of await foldersIn(folder)) await removeEmpty(join(folder, instance))
    await removeEmpty(folder)
  }
}

const cgroupAt = (path: string, log: Logger): Cgroup => ({
  add: async (pid) => {
    try {
      await writeFile(join(path, 'cgroup.procs'), String(pid))
    } catch (error) {
      // It may have ended by now; and the marks in its environment name it as well.
      log.info({ path, pid, error: messageOf(error) }, 'engine stays in the group of the agent')
    }
  },
  kill: () => {
    try {
      writeFileSync(join(path, 'cgroup.kill'), '1')
    } catch (error) {
      // Removed already: then nothing is left in it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  },
  remove: async () => {
    await removeEmpty(path)
    await removeEmpty(dirname(path))
  },
})

/** What was killed leaves its group a moment after it ended; the next life sweeps the rest. */
const removeEmpty = (path: string): Promise<void> => rmdir(path).catch(() => undefined)

const foldersIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder, { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

/** `0::/path` names the group; the mount of version 2 says where that is. */
const findHome = async (): Promise<CgroupHome | undefined> => {
  try {
    const own = /^0::(\/.*)$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1]
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
    const mount = mounts.map((line) => line.split(' ')).find((field) => isVersion2(field))
    const point = mount?.[4]
    return own === undefined || point === undefined ? undefined : { path: join(point, own) }
  } catch {
    // Other systems than Linux have neither.
    return undefined
  }
}

/** Fields of proc_pid_mountinfo(5): after the separator the type, then the source. */
const isVersion2 = (fields: readonly string[]): boolean =>
  fields[fields.indexOf('-') + 1] === 'cgroup2'
