import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '@berth/kernel'
import type { Logger } from '@berth/runtime'
import type { ModelCalls } from '@berth/supervision'
import { NOTHING_WANTED, type WantedEntry, type WantedModels } from '../state/wanted-models.ts'
import type { KeeperPool } from './keeper-pool.ts'
import { failureOf, type JobFailure } from './model-job.ts'
import { without, withModel, type KeptModels, type WantedModel } from './kept-model.ts'

/** Which models a pool wants: its own, and those that commands have loaded. */
export interface WantedBook {
  /** The models with what is wanted of them: what is wanted no more is only known. */
  addTo(models: KeptModels): KeptModels
  /** Resolves when the next life of the agent will know it, or with why it will not. */
  change(what: {
    readonly add?: WantedModel
    /** Nobody wants it any more: the pool's own stays away until it is asked for. */
    readonly forget?: string
  }): Promise<JobFailure | undefined>
}

export const createWantedBook = ({
  pool,
  calls,
  ownsModel,
  store,
  log,
}: {
  readonly pool: KeeperPool
  readonly calls: ModelCalls
  readonly ownsModel: boolean
  readonly store?: WantedModels | undefined
  readonly log: Logger
}): WantedBook => {
  const nameOf = (modelId: string) => calls.nameOf?.(modelId) ?? modelId
  const { poolId } = pool.spec
  let entry = store?.of(poolId) ?? NOTHING_WANTED
  let ownName: string | undefined

  const own = (): WantedModel | undefined => {
    const { engine, modelRef } = pool.spec
    const { modelId } = engine
    return ownsModel && modelId !== undefined ? { modelId, modelRef } : undefined
  }
  /** A change is told as done once an agent that is started again would know of it. */
  const save = async (next: WantedEntry): Promise<JobFailure | undefined> => {
    if (isDeepStrictEqual(next, entry)) return undefined
    entry = next
    try {
      await store?.keep(poolId, next)
      return undefined
    } catch (error) {
      const message = `Done, but an agent that is started again would not know: ${messageOf(error)}`
      log.error({ last_error: message }, 'models of a pool are not kept')
      return { ...failureOf(message), isNotKept: true }
    }
  }
  return {
    addTo: (models) => {
      const mine = own()
      const name = mine && nameOf(mine.modelId)
      let next = models
      // The pools file, or a reload, named another one.
      if (ownName !== undefined && ownName !== name)
        next = withModel(next, ownName, (model) => model && without(model, 'wanted', 'trouble'))
      ownName = name
      const wanted = [
        ...(mine && entry.dismissed !== name ? [mine] : []),
        ...entry.models.filter(({ modelId }) => nameOf(modelId) !== name),
      ]
      for (const one of wanted)
        next = withModel(next, nameOf(one.modelId), (model) => ({
          ...model,
          modelId: one.modelId,
          wanted: model?.wanted ?? one,
        }))
      return next
    },
    change: ({ add, forget }) => {
      const changed = forget ?? nameOf(add!.modelId)
      const others = entry.models.filter(({ modelId }) => nameOf(modelId) !== changed)
      const isOwn = changed === ownName
      const { dismissed } = entry
      const away = forget !== undefined && isOwn ? forget : isOwn ? undefined : dismissed
      return save({
        models: add && !isOwn ? [...others, add] : others,
        ...(away === undefined ? {} : { dismissed: away }),
      })
    },
  }
}
