import type { KeptModel, KeptModels } from './kept-model.ts'

/** What an engine is to be asked next for the sake of the models that are wanted in it. */
export type KeeperMove =
  | { readonly kind: 'load'; readonly name: string }
  /** It is there, and would go by itself though it is to stay. */
  | { readonly kind: 'renew'; readonly name: string }
  /** It was not used for its time, and this engine lets go of nothing by itself. */
  | { readonly kind: 'unload'; readonly name: string }

export interface MoveContext {
  /** On the clock that never jumps. */
  readonly now: number
  /** Unix milliseconds, as engines tell times. */
  readonly wall: number
  /** A model that goes within this time is renewed. */
  readonly renewBeforeMs: number
  /** For how long no request was in it; 0 while there is one. */
  readonly idleMsOf: (name: string) => number
}

/**
 * The next thing to do, one at a time: what is wanted and not there comes first, in the order in
 * which it was asked for. `undefined` when all is as it should be.
 */
export const nextMove = (models: KeptModels, context: MoveContext): KeeperMove | undefined => {
  for (const kind of ['load', 'renew', 'unload'] as const)
    for (const [name, model] of models)
      if (!model.leaving && IS_DUE[kind](model, name, context)) return { kind, name }
  return undefined
}

type IsDue = (model: KeptModel, name: string, context: MoveContext) => boolean

const IS_DUE: Readonly<Record<KeeperMove['kind'], IsDue>> = {
  load: ({ wanted, resident, trouble }, _name, { now }) =>
    wanted !== undefined &&
    resident === undefined &&
    (trouble === undefined || (trouble.retryAt !== undefined && trouble.retryAt <= now)),
  renew: ({ wanted, resident }, _name, { wall, renewBeforeMs }) =>
    wanted !== undefined &&
    wanted.ttlMs === undefined &&
    resident?.expiresAtMs !== undefined &&
    resident.expiresAtMs - wall <= renewBeforeMs,
  unload: ({ wanted, resident }, name, { idleMsOf }) =>
    wanted?.ttlMs !== undefined &&
    resident !== undefined &&
    resident.expiresAtMs === undefined &&
    idleMsOf(name) >= wanted.ttlMs,
}
