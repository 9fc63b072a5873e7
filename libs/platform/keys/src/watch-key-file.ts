import { statSync } from 'node:fs'
import { every, messageOf, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { KeyRing } from './key-ring.ts'
import { readKeyFile } from './read-key-file.ts'

/** A stat a second costs nothing, and sees mounted files that are replaced behind a link. */
const LOOK_EVERY_MS = 1_000

/** The keys that hold now. */
export interface KeySource {
  readonly current: KeyRing
}

/** Which file to follow, with what clock, and who is told. */
export interface WatchOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** Told of each file that took effect. */
  onChange?(ring: KeyRing): void
}

/**
 * Reads a key file and again whenever it changes. Throws `CONFIG_INVALID` for the first reading
 * only: a later file that is wrong is logged with all its problems, and the keys stay as they were.
 */
export const watchKeyFile = (options: WatchOptions): KeySource & Disposable => {
  const { path, clock, log } = options
  let seen = stampOf(path)
  const first = readKeyFile(path)
  let current = first.ring
  warnIfOpen(options, first.isWorldReadable)

  const look = () => {
    const stamp = stampOf(path)
    if (stamp === seen) return
    seen = stamp
    try {
      const { ring, isWorldReadable } = readKeyFile(path)
      current = ring
      log.info({ path, keys: ring.size }, 'keys are reloaded')
      warnIfOpen(options, isWorldReadable)
      options.onChange?.(ring)
    } catch (error) {
      log.error({ path, problems: messageOf(error) }, 'key file is wrong, the old keys hold')
    }
  }
  const stop = every(clock, LOOK_EVERY_MS, look)
  return {
    get current() {
      return current
    },
    [Symbol.dispose]: stop,
  }
}

/** Differs when the file was written or replaced; empty when it is not there. */
const stampOf = (path: string): string => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat ? `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}` : ''
}

const warnIfOpen = ({ log, path }: WatchOptions, isWorldReadable: boolean) => {
  if (isWorldReadable) log.warn({ path }, 'key file can be read by everyone: chmod 600')
}
