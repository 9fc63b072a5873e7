import type { CrashReport } from './driver.ts'

/** What `last_error` says of an engine that ended: why, and what to type next. */
export const errorOf = ({ kind, message, isRetriable }: CrashReport, poolId: string): string => {
  const logs = `berth pools logs ${poolId}`
  if (!isRetriable) return startByHand(message, poolId)
  return kind === 'unhealthy' || kind === 'hang'
    ? `${message} See: berth pools history ${poolId}, ${logs}`
    : `${message} See: ${logs}`
}

/** The same of a pool that stays away until somebody starts it. */
export const startByHand = (message: string, poolId: string): string =>
  `${message} Then: berth pools start ${poolId}`
