import type { Cancel } from '@berth/kernel'

/** Calls `fn` at every SIGHUP, which no longer ends this process while somebody listens. */
export const onHangup = (fn: () => void): Cancel => {
  process.on('SIGHUP', fn)
  return () => {
    process.off('SIGHUP', fn)
  }
}
