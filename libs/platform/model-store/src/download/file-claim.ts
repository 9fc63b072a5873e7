import { randomBytes } from 'node:crypto'
import { linkSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { readFileSync, writeFileSync } from 'node:fs'
import { BerthError, every, sleep, type Clock } from '@berth/kernel'
import { z } from 'zod'
import { isMarkAlive, markOfThisProcess, ProcessMarkSchema } from '../disk/process-mark.ts'

const POLL_MS = 200
const BEAT_MS = 5_000
/** Without a beat for so long, an owner whose process cannot be looked at is dead. */
const SILENT_MS = 30_000

const OwnerSchema = ProcessMarkSchema.extend({ token: z.string() })
type Owner = z.infer<typeof OwnerSchema>

/** What `claimFile` works with. */
export interface ClaimOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called while another process has it, at each look. */
  onWait?(): void
}

/**
 * Makes this the one process that works on something, among all that see the folder; waits while
 * another does. The claim of a process that was killed is taken over at once on its own machine,
 * and after 30 s without a beat from elsewhere (a container, another host). Returns the release.
 *
 * A claim appears with its content by `link`, which only one can do. A stale claim T is replaced
 * by who links `PATH.T` and then still finds T: two that judged T stale cannot both win.
 */
export const claimFile = async (path: string, options: ClaimOptions): Promise<() => void> => {
  const owner = newOwner()
  const mine = `${path}.${owner.token}`
  const watch = createWatch(options.clock)
  try {
    writeFileSync(mine, JSON.stringify(owner), { mode: 0o644 })
    while (!tryLink(mine, path)) {
      const seen = readOwner(path)
      if (seen && watch.isDead(path, seen) && takeOver(path, mine, seen.token, watch)) break
      options.onWait?.()
      await sleep(options.clock, POLL_MS, options.signal)
    }
  } finally {
    rmSync(mine, { force: true })
  }
  const stopBeat = every(options.clock, BEAT_MS, () => beat(options.clock, path, owner.token))
  return () => {
    stopBeat()
    if (readOwner(path)?.token === owner.token) rmSync(path, { force: true })
  }
}

/**
 * True while another process, or another claim of this one, works on it. Of another machine or
 * container it is answered by the time of the last beat, for it cannot be waited for here.
 */
export const isClaimed = (path: string, clock: Clock): boolean => {
  const owner = readOwner(path)
  if (owner === undefined) return false
  return isMarkAlive(owner) ?? clock.wall() - beatOf(path) < 2 * SILENT_MS
}

const newOwner = (): Owner => ({
  token: randomBytes(8).toString('hex'),
  ...markOfThisProcess(),
})

const beatOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

const createWatch = (clock: Clock) => {
  const seenAt = new Map<string, { readonly beat: number; readonly atMs: number }>()
  const isDead = (path: string, owner: Owner): boolean => {
    const isAlive = isMarkAlive(owner)
    if (isAlive !== undefined) return !isAlive
    const beatAt = beatOf(path)
    const before = seenAt.get(path)
    if (before?.beat === beatAt) return clock.now() - before.atMs > SILENT_MS
    seenAt.set(path, { beat: beatAt, atMs: clock.now() })
    return false
  }
  return { isDead }
}

const takeOver = (
  path: string,
  mine: string,
  deadToken: string,
  watch: ReturnType<typeof createWatch>,
): boolean => {
  const successor = `${path}.next-${deadToken}`
  if (!tryLink(mine, successor)) {
    // Its winner was killed within the few calls below: then nobody else would ever get past it.
    const winner = readOwner(successor)
    if (winner && watch.isDead(successor, winner)) rmSync(successor, { force: true })
    return false
  }
  const isStillDead = readOwner(path)?.token === deadToken
  if (isStillDead) renameSync(mine, path)
  rmSync(successor, { force: true })
  return isStillDead
}

const tryLink = (from: string, to: string): boolean => {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new BerthError(
      'INTERNAL',
      `The folder of the model store cannot hold a claim (${(error as NodeJS.ErrnoException).code ?? 'unknown'}). It has to be on a file system with hard links.`,
      { cause: error },
    )
  }
}

const readOwner = (path: string): Owner | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) return undefined
  // A claim that a loss of power left empty belongs to somebody who gives no sign any more.
  const unknown = { token: `unreadable-${stats.ino}`, pid: 0, startTime: '', space: '' }
  try {
    return OwnerSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data ?? unknown
  } catch (error) {
    // Gone: it was released in between. Else it holds no JSON.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : unknown
  }
}

const beat = (clock: Clock, path: string, token: string): void => {
  try {
    if (readOwner(path)?.token !== token) return
    const now = new Date(clock.wall())
    utimesSync(path, now, now)
  } catch {
    // A disk that became read-only, or a claim that was removed just now: no reason to end the
    // agent. The work itself fails of the disk; of a beat that is missed others take 30 s of note.
  }
}
