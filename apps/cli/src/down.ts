import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { readHolder, releaseLock } from './fleet-lock.ts'
import type { Paths } from './paths.ts'
import { endProcesses } from './processes.ts'
import type { CommandContext } from './run-command.ts'
import { removeRunState } from './run-state.ts'
import { sweep } from './sweep.ts'
import { watched } from './wait-until.ts'

/** `up` stops its services within 10 s; it gets a little longer before it is killed. */
const STOP_TIMEOUT_MS = 12_000

export interface DownContext extends CommandContext {
  readonly paths: Paths
}

/** Stops the fleet of this checkout and whatever an earlier one left behind. Idempotent. */
export const down = async ({ paths, terminal }: DownContext): Promise<number> => {
  const clock = systemClock()
  const holder = readHolder(paths)
  const label = 'Stopping the fleet'
  if (holder)
    await watched({ clock, terminal, label }, () => endProcesses(clock, [holder], STOP_TIMEOUT_MS))
  const { count, left } = await sweep(clock, paths)
  if (left.length > 0) {
    const pids = left.map(({ pid, name }) => `${pid} (${name})`).join(', ')
    throw new CliError(EXIT.failed, `These processes do not end: ${pids}.`, 'End them by hand.')
  }
  removeRunState(paths)
  releaseLock(paths)
  if (count > 0) terminal.print(`Ended ${count} processes that were left behind.`)
  if (!holder && count === 0) terminal.print('Nothing is running here.')
  return EXIT.ok
}
