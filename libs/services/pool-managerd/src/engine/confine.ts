import { isAbsolute } from 'node:path'
import type { Logger } from '@berth/runtime'
import type { CrashReport } from '@berth/supervision'
import { findProgram, SETPRIV, type EngineUser, type Privileges } from './privileges.ts'
import { firstClosed } from './reach.ts'

/** How an engine is to be run. */
export type Confinement =
  | {
      readonly kind: 'confined'
      /** Stands before the command line of the engine, which replaces it. */
      readonly prefix: readonly string[]
      /** Whose the folders of the instance are; absent when it runs as the agent does. */
      readonly owner?: EngineUser
    }
  | { readonly kind: 'refused'; readonly report: CrashReport }

/** What is to be run, and what of the host it needs. */
export interface Confined {
  readonly argv: readonly string[]
  /** Where its folders are made. */
  readonly folder: string
  readonly path: string | undefined
  readonly log: Logger
}

const ROOT: EngineUser = { uid: 0, gid: 0 }
const NO_REGAINING = ['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all']
const NO_CAPABILITY = [...NO_REGAINING, '--bounding-set=-all']
/** May look into the folders of other users, and nothing else of what root may. */
const READING_ONLY = [...NO_REGAINING, '--bounding-set=-all,+dac_read_search']

/**
 * Takes from an engine what the agent may do as root. Where nobody named a user and the default one
 * cannot reach the engine's files, it stays root by name, without its capabilities.
 */
export const confine = async (
  what: Confined,
  privileges: Privileges | undefined,
): Promise<Confinement> => {
  if (!privileges) return { kind: 'confined', prefix: [] }
  const program = await findProgram(what.argv[0] ?? '', what.path)
  if (program === undefined) return refused('missing_runtime', missing(what.argv))
  const { user, isNamed, deviceGroups } = privileges
  const paths = [program, what.folder, ...pathsOf(what.argv)]
  const closed = await firstOf(paths, user)
  if (closed === undefined)
    return {
      kind: 'confined',
      prefix: [SETPRIV, ...identity(user, deviceGroups), ...NO_CAPABILITY, '--'],
      ...(user.uid === 0 ? {} : { owner: user }),
    }
  const who = `${user.uid}:${user.gid}`
  if (isNamed) return refused('access_denied', keptOut(who, closed))
  what.log.warn(
    { engine_user: who, path: closed },
    'engine runs as root without capabilities: the engine user cannot reach its files',
  )
  const isOpen = (await firstOf(paths, ROOT)) === undefined
  return {
    kind: 'confined',
    prefix: [SETPRIV, ...(isOpen ? NO_CAPABILITY : READING_ONLY), '--'],
  }
}

const identity = ({ uid, gid }: EngineUser, groups: readonly number[]): readonly string[] => [
  ...['--reuid', String(uid), '--regid', String(gid)],
  ...(groups.length === 0 || uid === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
]

/** What of a command line names files, also as `--flag=/path`. */
const pathsOf = (argv: readonly string[]): readonly string[] =>
  argv
    .map((word) => (word.startsWith('-') ? word.slice(word.indexOf('=') + 1) : word))
    .filter(isAbsolute)

const firstOf = async (paths: readonly string[], user: EngineUser): Promise<string | undefined> => {
  for (const path of paths) {
    const closed = await firstClosed(path, user)
    if (closed !== undefined) return closed
  }
  return undefined
}

const missing = ([program = '']: readonly string[]) =>
  `Cannot run ${program}: no such file, or not on PATH. Install it.`

const keptOut = (who: string, closed: string) =>
  `The engine user ${who} may not read ${closed}. ` +
  'Let it (chmod o+rX, or chgrp), put the files elsewhere, or set engine_user to root.'

const refused = (kind: CrashReport['kind'], message: string): Confinement => ({
  kind: 'refused',
  report: { kind, message, isRetriable: false },
})
