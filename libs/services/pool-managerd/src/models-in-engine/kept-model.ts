import type { CrashReport, ListedModel } from '@berth/supervision'

/** A model that an engine is to hold, as it was asked for. */
export interface WantedModel {
  /** As clients send it. */
  readonly modelId: string
  /** As `model` in the pools file names it. */
  readonly modelRef: string
  /** Path of an adapter. */
  readonly source?: string
  /** Let go of after being idle for so long. Absent: pinned. */
  readonly ttlMs?: number
}

/** Why a wanted model is not there, and when it is tried again. */
export interface ModelTrouble {
  readonly report: CrashReport
  /** Loads in a row that failed. */
  readonly tries: number
  /** On the clock that never jumps; absent: not by itself. */
  readonly retryAt?: number
}

/** All that is known of one model in one engine. */
export interface KeptModel {
  readonly modelId: string
  /** Absent: nobody asked us for it. */
  readonly wanted?: WantedModel
  /** As the engine listed it last; absent: it is not in memory. */
  readonly resident?: ListedModel
  /** As the engine's own store lists it. */
  readonly onDisk?: ListedModel
  /** It is being taken away: no request is let to it. */
  readonly leaving?: 'draining' | 'unloading'
  readonly trouble?: ModelTrouble
}

/** By the engine's own name of each model, in the order in which they came. */
export type KeptModels = ReadonlyMap<string, KeptModel>

/** The models with one of them changed; one of which nothing is known is forgotten. */
export const withModel = (
  models: KeptModels,
  name: string,
  edit: (model: KeptModel | undefined) => KeptModel | undefined,
): KeptModels => {
  const next = new Map(models)
  const model = edit(models.get(name))
  if (model && (model.wanted ?? model.resident ?? model.onDisk ?? model.leaving))
    next.set(name, model)
  else next.delete(name)
  return next
}

/** The models with each of them changed. */
export const edited = (models: KeptModels, edit: (model: KeptModel) => KeptModel): KeptModels =>
  new Map([...models].map(([name, model]) => [name, edit(model)]))

/** The model without what `keys` name. */
export const without = (
  model: KeptModel,
  ...keys: readonly Exclude<keyof KeptModel, 'modelId'>[]
): KeptModel =>
  Object.fromEntries(
    Object.entries(model).filter(([key]) => !keys.some((dropped) => dropped === key)),
  ) as unknown as KeptModel

/** What placement goes by: times and sizes alone are no news. */
export const shownOf = (models: KeptModels): string =>
  [...models]
    .map(([name, { resident, leaving, trouble, onDisk }]) =>
      [name, resident ? 1 : 0, leaving, trouble?.tries, onDisk ? 1 : 0].join(' '),
    )
    .join('\n')
