import { OperationType, type ModelDisk } from '@berth/contract'
import type { Clock } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import { isOver, type Operations } from '../commands/operations.ts'
import type { Pool } from '../pool/pool.ts'
import type { ModelFiles } from './model-files.ts'
import { createPulls, type Pulls } from './pull-models.ts'
import { watchDisk } from './watch-disk.ts'

/** What a host does about its models beside its pools. */
export interface ModelCare extends Disposable {
  /** Both are absent where a host keeps no models. */
  readonly pulls: Pulls | undefined
  readonly disk: ModelDisk | undefined
}

export const careForModels = (
  modelFiles: ModelFiles | undefined,
  on: {
    readonly hostId: string
    readonly pools: ReadonlyMap<string, Pool>
    readonly operations: Operations
    readonly clock: Clock
    readonly log: Logger
    onChange(): void
  },
): ModelCare => {
  if (!modelFiles) return { pulls: undefined, disk: undefined, [Symbol.dispose]: () => undefined }
  modelFiles.keepFor(on.pools)
  const pulls = createPulls({ ...on, store: modelFiles.store })
  const disk = watchDisk(modelFiles, on)
  const stop = on.operations.onChange((operation) => {
    if (operation.type === OperationType.PULL && isOver(operation)) disk.lookNow()
  })
  return {
    pulls,
    get disk() {
      return disk.current
    },
    [Symbol.dispose]: () => {
      stop()
      disk[Symbol.dispose]()
      pulls[Symbol.dispose]()
    },
  }
}
