import { BerthError, every, type Clock } from '@berth/kernel'
import { fileStamp, type Logger } from '@berth/runtime'
import type { PoolChanges } from '../pool/pool-changes.ts'
import type { PoolsFile } from './pool-spec.ts'

/** What became of the last reading of the file. */
export type PoolsFileOutcome = 'applied' | 'unchanged' | 'refused'

export interface FollowOptions {
  readonly path: string
  /** The stamp of the file that holds now. */
  readonly stamp: string
  readonly clock: Clock
  readonly log: Logger
  /** Throws `CONFIG_INVALID` with everything that is wrong. */
  load(): PoolsFile
  apply(file: PoolsFile): PoolChanges
  /** `problems`: what is wrong with a file that is refused. */
  onOutcome(outcome: PoolsFileOutcome, problems: readonly string[]): void
}

/** Reads the pools file again when it was written, and when asked to. */
export interface PoolsFileFollower extends Disposable {
  readNow(): void
}

/** A stat costs nothing, and sees files that are replaced, behind a link too. */
const LOOK_MS = 500

/**
 * A file that is wrong is logged with all its problems, and every pool stays as it was. One that
 * is still being written is not read: half of a file may be a good file with half of the pools.
 */
export const followPoolsFile = (options: FollowOptions): PoolsFileFollower => {
  const { path, log } = options
  let seen = options.stamp
  let read = options.stamp

  const readNow = () => {
    read = seen = fileStamp(path)
    try {
      const changes = options.apply(options.load())
      const { unchanged, ...others } = changes
      const isSame = Object.values(others).every((pools) => pools.length === 0)
      log.info({ path, ...changes }, isSame ? 'pools file is unchanged' : 'pools file is applied')
      options.onOutcome(isSame ? 'unchanged' : 'applied', [])
    } catch (error) {
      const [what = '', ...lines] = BerthError.from(error).message.split('\n')
      const problems = lines.length > 0 ? lines.map((line) => line.trim()) : [what]
      log.error({ path, problems }, 'pools file is wrong: all pools stay as they were')
      options.onOutcome('refused', problems)
    }
  }
  const stop = every(options.clock, LOOK_MS, () => {
    const stamp = fileStamp(path)
    const isSettled = stamp === seen
    seen = stamp
    if (isSettled && stamp !== read) readNow()
  })
  return { readNow, [Symbol.dispose]: stop }
}
