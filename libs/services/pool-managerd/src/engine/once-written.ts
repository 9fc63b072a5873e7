import { watch } from 'node:fs'
import type { Cancel, Clock } from '@berth/kernel'

/**
 * Calls `fn` once: when somebody writes to the file, or after `ms`. The kernel tells of a write, so
 * that a file nobody writes to costs nothing. Where it cannot (no inotify watches are left, the
 * file is gone) the file is looked at after `blindMs`.
 */
export const onceWritten = (
  path: string,
  { clock, ms, blindMs }: { readonly clock: Clock; readonly ms: number; readonly blindMs: number },
  fn: () => void,
): Cancel => {
  const watcher = watchFile(path)
  const end = () => {
    cancel()
    watcher?.close()
  }
  const fire = () => {
    end()
    fn()
  }
  const cancel = clock.after(watcher ? ms : blindMs, fire)
  watcher?.once('change', fire)
  // A watch that breaks says nothing any more: the clock looks instead.
  watcher?.once('error', () => watcher.close())
  return end
}

const watchFile = (path: string) => {
  try {
    return watch(path, { persistent: false })
  } catch {
    // Told by the reader, who cannot open the file either; a limit of watches is no fault.
    return undefined
  }
}
