import { create } from '@bufbuild/protobuf'
import { ModelDiskSchema, type ModelDisk } from '@berth/contract'
import { every, messageOf, type Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { diskMessage } from './disk-message.ts'
import type { ModelFiles } from './model-files.ts'

/** What snapshots show of the disk of models, looked at now and then. */
export interface DiskWatch extends Disposable {
  /** As it was at the last look; `undefined` before the first. */
  readonly current: ModelDisk | undefined
  /** Files came or went. */
  lookNow(): void
}

const LOOK_MS = 30_000

export const watchDisk = (
  { store }: ModelFiles,
  on: { readonly clock: Clock; readonly log: Logger; onChange(): void },
): DiskWatch => {
  let current: ModelDisk | undefined
  let isLooking = false
  let isTold = false
  const look = async () => {
    if (isLooking) return
    isLooking = true
    try {
      const seen = create(ModelDiskSchema, await diskMessage(store, await store.list()))
      const isNews = seen.modelsBytes !== current?.modelsBytes || seen.models !== current.models
      current = seen
      isTold = false
      // What is free moves all the time, and goes with the next snapshot.
      if (isNews) on.onChange()
    } catch (error) {
      // Told once, not twice a minute for as long as it lasts.
      if (!isTold) on.log.warn({ error: messageOf(error) }, 'disk of models is not readable')
      isTold = true
    } finally {
      isLooking = false
    }
  }
  const stop = every(on.clock, LOOK_MS, () => void look())
  void look()
  return {
    get current() {
      return current
    },
    lookNow: () => void look(),
    [Symbol.dispose]: stop,
  }
}
