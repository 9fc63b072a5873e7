import { BerthError, every, type Clock } from '@berth/kernel'
import type { z } from 'zod'
import { changedSettings } from './changed-settings.ts'
import { fileStamp } from './file-stamp.ts'
import { configFileOf, loadConfig, type LoadConfigOptions } from './load-config.ts'
import type { Logger } from './log.ts'

/** Settings that replace others while a service runs. */
export interface ConfigChange<T> {
  readonly config: T
  /** Names in a file of the settings that differ, such as `queue.capacity`; never empty. */
  readonly changed: readonly string[]
}

/** What to load again, and who is told. */
export interface WatchConfigOptions<S extends z.ZodObject> extends LoadConfigOptions<S> {
  readonly clock: Clock
  readonly log: Logger
  onChange(change: ConfigChange<Readonly<z.infer<S>>>): void
  /** The new settings are wrong, and the old ones hold. */
  onRefused?(): void
}

/** A stat a second costs nothing, and sees mounted files that are replaced behind a link. */
const LOOK_EVERY_MS = 1_000

/**
 * Loads the settings again whenever the file changes and on SIGHUP, with flags and environment as
 * they were. `first` is what `loadConfig` gave. Settings that are wrong are logged with all their
 * problems, and the old ones hold. Ends when disposed.
 */
export const watchConfig = <S extends z.ZodObject>(
  options: WatchConfigOptions<S>,
  first: Readonly<z.infer<S>>,
): Disposable => {
  const { clock, log } = options
  const file = configFileOf(options)
  let current = first
  const reload = () => {
    try {
      const config = loadConfig(options)
      const changed = changedSettings(options.schema, current, config)
      current = config
      if (changed.length === 0) return log.info({ file }, 'configuration is unchanged')
      options.onChange({ config, changed })
    } catch (error) {
      const problems = BerthError.from(error).message.split('\n').slice(1)
      log.error({ file, problems }, 'configuration is wrong, the old settings hold')
      options.onRefused?.()
    }
  }
  const stop = file === undefined ? () => undefined : whenWritten(clock, file, reload)
  process.on('SIGHUP', reload)
  return {
    [Symbol.dispose]: () => {
      stop()
      process.off('SIGHUP', reload)
    },
  }
}

const whenWritten = (clock: Clock, path: string, onWritten: () => void) => {
  let seen = fileStamp(path)
  return every(clock, LOOK_EVERY_MS, () => {
    const stamp = fileStamp(path)
    if (stamp === seen) return
    seen = stamp
    onWritten()
  })
}
