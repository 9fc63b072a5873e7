import type { ListedModel } from '@berth/supervision'
import { without, type KeptModel, type KeptModels } from './kept-model.ts'

/** What an engine listed. */
export interface Look {
  readonly resident: readonly ListedModel[]
  /** Absent: it was not asked, and what was known holds. */
  readonly onDisk?: readonly ListedModel[] | undefined
}

export interface LookContext {
  readonly nameOf: (modelId: string) => string
  /** Unix milliseconds, as engines tell times. */
  readonly wall: number
  /** A model that is being loaded is no loss before it is there. */
  readonly loading: string | undefined
}

/**
 * What a look changed. `lost`: the engine let go of a model that it was to hold. `expired`: of one
 * that was not used for its time; nobody wants it any more.
 */
export interface LookNews {
  readonly kind: 'lost' | 'expired'
  readonly modelId: string
}

/** Models the keeper remembers beside those that are wanted; of more it knows the first ones. */
export const MODELS_MAX = 1_000

/** What is known of the models of an engine after it was looked at. */
export const foldLook = (
  models: KeptModels,
  look: Look,
  context: LookContext,
): { readonly models: KeptModels; readonly news: readonly LookNews[] } => {
  const { nameOf } = context
  const resident = byName(look.resident, nameOf)
  const onDisk = look.onDisk && byName(look.onDisk, nameOf)
  const next = new Map<string, KeptModel>()
  const news: LookNews[] = []
  for (const name of new Set([...models.keys(), ...resident.keys(), ...(onDisk?.keys() ?? [])])) {
    const before = models.get(name)
    const listed = resident.get(name)
    const file = onDisk ? onDisk.get(name) : before?.onDisk
    const seen: KeptModel = {
      ...(before ? without(before, 'resident', 'onDisk') : { modelId: (listed ?? file)!.modelId }),
      ...(listed ? { resident: listed } : {}),
      ...(file ? { onDisk: file } : {}),
    }
    const told = newsOf(name, before, seen, context)
    if (told) news.push(told)
    const after = told?.kind === 'expired' ? without(seen, 'wanted', 'trouble') : settled(seen)
    if (isKnown(after) && (after.wanted !== undefined || next.size < MODELS_MAX))
      next.set(name, after)
  }
  return { models: next, news }
}

const byName = (listed: readonly ListedModel[], nameOf: LookContext['nameOf']) =>
  new Map(listed.map((model) => [nameOf(model.modelId), model]))

const isKnown = ({ wanted, resident, onDisk, leaving }: KeptModel) =>
  wanted !== undefined || resident !== undefined || onDisk !== undefined || leaving !== undefined

/** What is there has no trouble any more, whoever loaded it. */
const settled = (model: KeptModel): KeptModel =>
  model.resident && model.trouble ? without(model, 'trouble') : model

const newsOf = (
  name: string,
  before: KeptModel | undefined,
  { resident, wanted, modelId, leaving }: KeptModel,
  { loading, wall }: LookContext,
): LookNews | undefined => {
  const isGone = before?.resident !== undefined && resident === undefined
  if (!isGone || !wanted || leaving || name === loading) return undefined
  const isDue = wanted.ttlMs !== undefined && (before.resident.expiresAtMs ?? 0) <= wall
  return { kind: isDue ? 'expired' : 'lost', modelId }
}
