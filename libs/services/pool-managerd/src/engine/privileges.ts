import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { BerthError } from '@berth/kernel'

/** Who an engine runs as. */
export interface EngineUser {
  readonly uid: number
  readonly gid: number
}

/** How engines of an agent that is root lose what root may do. */
export interface Privileges {
  readonly user: EngineUser
  /** Somebody named the user: then nothing less will do. */
  readonly isNamed: boolean
  /** Groups that own the GPUs' device files. */
  readonly deviceGroups: readonly number[]
}

/** Who runs engines where nobody names a user: a number that no account of Debian's has. */
export const DEFAULT_USER: EngineUser = { uid: 10_002, gid: 10_002 }

/** Of util-linux, on every Debian. */
export const SETPRIV = 'setpriv'

/**
 * What takes the privileges of root from engines; `undefined` for an agent that has none itself.
 * Throws `CONFIG_INVALID` for a user that is not there, or that cannot be had.
 */
export const findPrivileges = async (
  wanted: string | undefined,
  of: { readonly uid: number; readonly path: string | undefined },
): Promise<Privileges | undefined> => {
  if (of.uid !== 0) {
    if (wanted === undefined || (await lookUp(wanted)).uid === of.uid) return undefined
    throw invalid(`only root may run engines as ${wanted}. Run the agent as root or as ${wanted}`)
  }
  if ((await findProgram(SETPRIV, of.path)) === undefined) {
    if (wanted === undefined) return undefined
    throw invalid(`${SETPRIV} is not on PATH. Install util-linux`)
  }
  const user = wanted === undefined ? DEFAULT_USER : await lookUp(wanted)
  return { user, isNamed: wanted !== undefined, deviceGroups: await findDeviceGroups() }
}

/** A name, a uid, or `uid:gid`. */
const lookUp = async (wanted: string): Promise<EngineUser> => {
  const [, uid, gid = uid] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(wanted) ?? []
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  const [known, group] = await Promise.all([ask('-u', wanted), ask('-g', wanted)])
  if (known === undefined || group === undefined)
    throw invalid(
      `there is no user ${wanted} on this host. ` +
        `Make it (useradd --system --no-create-home ${wanted}), or give a number such as 10002`,
    )
  return { uid: known, gid: group }
}

const ask = async (what: '-u' | '-g', name: string): Promise<number | undefined> => {
  try {
    const { stdout } = await promisify(execFile)('id', [what, '--', name], { timeout: 5_000 })
    return Number(stdout.trim())
  } catch {
    // `id` knows every user of the host, those of directories too.
    return undefined
  }
}

const findDeviceGroups = async (): Promise<readonly number[]> => {
  const render = await readdir('/dev/dri').catch(() => [])
  const files = ['/dev/kfd', '/dev/nvidiactl', ...render.map((name) => `/dev/dri/${name}`)]
  const groups = await Promise.all(
    files.map((path) =>
      stat(path).then(
        ({ gid }) => gid,
        () => 0,
      ),
    ),
  )
  return [...new Set(groups)].filter((gid) => gid !== 0).sort((a, b) => a - b)
}

/** Where a program is, as a spawn would find it; `undefined` when nowhere. */
export const findProgram = async (
  program: string,
  path: string | undefined,
): Promise<string | undefined> => {
  const places = program.includes('/')
    ? [program]
    : (path ?? '').split(delimiter).map((folder) => join(folder, program))
  for (const place of places) {
    const isThere = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return place
  }
  return undefined
}

const invalid = (problem: string) => new BerthError('CONFIG_INVALID', `engine_user: ${problem}.`)
