import type { Cancel } from '@berth/kernel'

/**
 * Calls `fn` when this process exits, however it decided to; not when it is killed. For the last
 * thing to do, such as ending a child that must not outlive it; `fn` may not wait.
 */
export const onProcessExit = (fn: () => void): Cancel => {
  process.once('exit', fn)
  return () => {
    process.off('exit', fn)
  }
}
