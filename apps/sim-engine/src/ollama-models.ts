import { promptHash } from '@berth/sim-text'
import type { Engine } from './engine.ts'
import { OLLAMA_BROKEN, OLLAMA_OOM } from './ollama-lines.ts'
import { forgetful, type OllamaStore } from './ollama-store.ts'
import { pause } from './pause.ts'

/** A model of the daemon: always on disk, in memory or not. */
export interface OllamaModel {
  readonly name: string
  readonly digest: string
  readonly modifiedAt: string
  residency: 'on_disk' | 'loading' | 'resident'
  loaded: Promise<string | undefined> | undefined
  /** Ends the load that goes on. */
  cancelLoad: (() => void) | undefined
  users: number
  keepAliveMs: number
  lastUsedMs: number
  /** Unix time of the unload; Infinity = never. */
  expiresAtMs: number
  timer: NodeJS.Timeout | undefined
}

export interface OllamaModels {
  all(): readonly OllamaModel[]
  find(name: string): OllamaModel | undefined
  add(name: string): void
  remove(name: string): boolean
  /** Bytes that are here of a model that is not: a pull goes on from there. */
  partOf(name: string): number
  keepPart(name: string, bytes: number): void
  /**
   * Runs `work` with the model in memory; the message of a failed load instead. A load that nobody
   * waits for any more is given up.
   */
  use<T>(
    model: OllamaModel,
    how: { readonly keepAliveMs: number | undefined; readonly left: AbortSignal },
    work: () => Promise<T>,
  ): Promise<{ ok: true; value: T } | { ok: false; message: string }>
  /** Unloads when its last user is done. */
  unload(model: OllamaModel): void
}

/** Longer is for ever; a timer could not count it. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** `name` with the tag that ollama adds. */
export const tagged = (name: string): string => (name.includes(':') ? name : `${name}:latest`)

export const createOllamaModels = (
  engine: Engine,
  store: OllamaStore = forgetful(),
): OllamaModels => {
  const models = new Map<string, OllamaModel>()
  const { parts } = store
  for (const name of store.names) models.set(name, newModel(name))
  const save = () => store.save([...models.keys()], parts)
  const { load, settle } = createMemory(engine, models)
  return {
    all: () => [...models.values()],
    find: (name) => models.get(tagged(name)),
    add: (name) => {
      const full = tagged(name)
      if (!models.has(full)) models.set(full, newModel(full))
      parts.delete(full)
      save()
    },
    remove: (name) => {
      const isRemoved = models.delete(tagged(name))
      save()
      return isRemoved
    },
    partOf: (name) => parts.get(tagged(name)) ?? 0,
    keepPart: (name, bytes) => {
      parts.set(tagged(name), bytes)
      save()
    },
    use: async (model, { keepAliveMs, left }, work) => {
      model.users += 1
      // A request that does not say keeps what the one that loaded it said.
      const isThere = model.loaded !== undefined
      model.keepAliveMs = keepAliveMs ?? (isThere ? model.keepAliveMs : engine.knobs.keepAliveMs)
      const onLeft = () => {
        if (model.users === 1) model.cancelLoad?.()
      }
      left.addEventListener('abort', onLeft, { once: true })
      try {
        model.loaded ??= load(model)
        const message = await model.loaded
        if (message !== undefined) return { ok: false, message }
        return { ok: true, value: await work() }
      } finally {
        left.removeEventListener('abort', onLeft)
        model.users -= 1
        model.lastUsedMs = performance.now()
        settle(model)
        engine.changed()
      }
    },
    unload: (model) => {
      model.keepAliveMs = 0
      settle(model)
    },
  }
}

/** What of the models is in memory, and how it comes and goes. */
const createMemory = (engine: Engine, models: ReadonlyMap<string, OllamaModel>) => {
  const evict = (model: OllamaModel) => {
    clearTimeout(model.timer)
    model.timer = undefined
    model.residency = 'on_disk'
    model.loaded = undefined
    engine.changed()
  }
  const settle = (model: OllamaModel) => {
    clearTimeout(model.timer)
    model.expiresAtMs = Date.now() + model.keepAliveMs
    if (model.users > 0 || model.residency !== 'resident') return
    if (model.keepAliveMs === 0) return evict(model)
    if (model.keepAliveMs > TIMER_MAX_MS) return
    model.timer = setTimeout(() => evict(model), model.keepAliveMs).unref()
  }
  /** For one more than it may hold it lets go of an idle one, and waits for one that is not. */
  const makeRoom = async (signal: AbortSignal) => {
    for (;;) {
      const { maxLoadedModels } = engine.knobs
      const inMemory = [...models.values()].filter((model) => model.residency !== 'on_disk')
      if (signal.aborted || maxLoadedModels === 0 || inMemory.length < maxLoadedModels) return
      const idle = inMemory.filter((model) => model.users === 0)
      // Those that would go soonest first.
      const first = idle.sort(
        (a, b) => a.keepAliveMs - b.keepAliveMs || a.lastUsedMs - b.lastUsedMs,
      )
      if (first[0]) evict(first[0])
      else await engine.untilChange(signal)
    }
  }
  const load = async (model: OllamaModel): Promise<string | undefined> => {
    const abort = new AbortController()
    const { signal } = abort
    model.cancelLoad = () => abort.abort()
    await makeRoom(signal)
    model.residency = 'loading'
    await pause(engine.knobs.loadMs, signal)
    while (engine.knobs.isNeverReady && !signal.aborted) await engine.untilChange(signal)
    model.cancelLoad = undefined
    const { isOom, brokenModel } = engine.knobs
    const isBroken = brokenModel !== '' && tagged(brokenModel) === model.name
    if (signal.aborted || isOom || isBroken) {
      evict(model)
      return signal.aborted ? 'load was cancelled' : isOom ? OLLAMA_OOM : OLLAMA_BROKEN
    }
    model.residency = 'resident'
    return undefined
  }
  return { load, settle }
}

const newModel = (name: string): OllamaModel => ({
  name,
  digest: [0, 1, 2, 3].map((part) => promptHash(`${name} ${part}`)).join(''),
  modifiedAt: new Date().toISOString(),
  residency: 'on_disk',
  loaded: undefined,
  cancelLoad: undefined,
  users: 0,
  keepAliveMs: 0,
  lastUsedMs: 0,
  expiresAtMs: 0,
  timer: undefined,
})

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `keep_alive`: seconds, a duration such as `5m`, negative = for ever; undefined = unset. */
export const keepAliveMsOf = (value: unknown): number | undefined => {
  if (typeof value === 'number') return value < 0 ? Infinity : value * 1000
  if (typeof value !== 'string' || value === '') return undefined
  if (value.startsWith('-')) return Infinity
  const parts = [...value.matchAll(/([\d.]+)(ms|s|m|h)/g)]
  if (parts.length === 0) return Number.isFinite(Number(value)) ? Number(value) * 1000 : undefined
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit!] ?? 0), 0)
}
