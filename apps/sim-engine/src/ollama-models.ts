import { promptHash } from '@berth/sim-text'
import type { Engine } from './engine.ts'
import { OLLAMA_OOM } from './ollama-lines.ts'
import { pause } from './pause.ts'

/** A model of the daemon: always on disk, in memory or not. */
export interface OllamaModel {
  readonly name: string
  readonly digest: string
  readonly modifiedAt: string
  residency: 'on_disk' | 'loading' | 'resident'
  loaded: Promise<string | undefined> | undefined
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
  /** Runs `work` with the model in memory; the message of a failed load instead. */
  use<T>(
    model: OllamaModel,
    keepAliveMs: number | undefined,
    work: () => Promise<T>,
  ): Promise<{ ok: true; value: T } | { ok: false; message: string }>
  /** Unloads when its last user is done. */
  unload(model: OllamaModel): void
}

const DEFAULT_KEEP_ALIVE_MS = 5 * 60_000
const NEVER = new AbortController().signal

/** `name` with the tag that ollama adds. */
export const tagged = (name: string): string => (name.includes(':') ? name : `${name}:latest`)

export const createOllamaModels = (engine: Engine): OllamaModels => {
  const models = new Map<string, OllamaModel>()
  const evict = (model: OllamaModel) => {
    clearTimeout(model.timer)
    model.timer = undefined
    model.residency = 'on_disk'
    model.loaded = undefined
  }
  const settle = (model: OllamaModel) => {
    clearTimeout(model.timer)
    model.expiresAtMs = Date.now() + model.keepAliveMs
    if (model.users > 0 || model.residency !== 'resident') return
    if (model.keepAliveMs === 0) return evict(model)
    if (model.keepAliveMs === Infinity) return
    model.timer = setTimeout(() => evict(model), model.keepAliveMs).unref()
  }
  const makeRoom = () => {
    const { maxLoadedModels } = engine.knobs
    const inMemory = [...models.values()].filter((model) => model.residency !== 'on_disk')
    if (maxLoadedModels === 0 || inMemory.length < maxLoadedModels) return
    const idle = inMemory.filter((model) => model.users === 0)
    const oldest = idle.sort((a, b) => a.lastUsedMs - b.lastUsedMs)[0]
    if (oldest !== undefined) evict(oldest)
  }
  const load = async (model: OllamaModel): Promise<string | undefined> => {
    makeRoom()
    model.residency = 'loading'
    await pause(engine.knobs.loadMs, NEVER)
    while (engine.knobs.isNeverReady) await engine.untilChange(NEVER)
    if (engine.knobs.isOom) {
      evict(model)
      return OLLAMA_OOM
    }
    model.residency = 'resident'
    return undefined
  }
  return {
    all: () => [...models.values()],
    find: (name) => models.get(tagged(name)),
    add: (name) => {
      const full = tagged(name)
      if (!models.has(full)) models.set(full, newModel(full))
    },
    remove: (name) => models.delete(tagged(name)),
    use: async (model, keepAliveMs, work) => {
      model.users += 1
      model.keepAliveMs = keepAliveMs ?? DEFAULT_KEEP_ALIVE_MS
      try {
        model.loaded ??= load(model)
        const message = await model.loaded
        if (message !== undefined) return { ok: false, message }
        return { ok: true, value: await work() }
      } finally {
        model.users -= 1
        model.lastUsedMs = performance.now()
        settle(model)
      }
    },
    unload: (model) => {
      model.keepAliveMs = 0
      settle(model)
    },
  }
}

const newModel = (name: string): OllamaModel => ({
  name,
  digest: [0, 1, 2, 3].map((part) => promptHash(`${name} ${part}`)).join(''),
  modifiedAt: new Date().toISOString(),
  residency: 'on_disk',
  loaded: undefined,
  users: 0,
  keepAliveMs: DEFAULT_KEEP_ALIVE_MS,
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
