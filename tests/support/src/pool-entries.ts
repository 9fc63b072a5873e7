import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'

const STATE_DIR = join(import.meta.dirname, '..', '..', '..', '.berth')
/** The model that clients call `berth-tiny`. */
export const TINY_MODEL = join(STATE_DIR, 'models', 'berth-tiny.gguf')

/** Folder whose `node_modules` holds the embedded engine's native package. */
export const EMBEDDED_RUNTIME_DIR = join(STATE_DIR, 'embedded-engine')

/** One entry of a pools file, and the port of its engine where one was chosen for it. */
export interface PoolEntry {
  readonly entry: Readonly<Record<string, unknown>> & { readonly id: string }
  readonly enginePort?: number
}

export interface SimPoolSettings {
  readonly model?: string
  readonly slots?: number
  /** Engine options, by their snake_case names. */
  readonly knobs?: object
  /** More of `lifecycle` in the pools file. */
  readonly lifecycle?: object
}

/** A pool of the simulator. */
export const simPool = async (id: string, settings: SimPoolSettings = {}): Promise<PoolEntry> => {
  const enginePort = await freePort()
  const { model = 'sim-model', slots = 4, knobs = {} } = settings
  const lifecycle = {
    port: enginePort,
    health_check_interval_s: 1,
    backoff: { initial_ms: 200 },
    ...settings.lifecycle,
  }
  const entry = { id, engine: 'sim', model, slots, engine_options: { ...knobs }, lifecycle }
  return { enginePort, entry }
}

/** More of a pool's entry, as the pools file has it: `{ slots: 1, determinism: 'strict' }`. */
export type MoreOfEntry = Readonly<Record<string, unknown>>

/**
 * A pool of the embedded engine with the tiny model, called `berth-tiny`. Throws where they are not
 * there: `./berth test` brings both.
 */
export const embeddedPool = (id: string, more: MoreOfEntry = {}): PoolEntry => {
  const missing = [join(EMBEDDED_RUNTIME_DIR, 'installed'), TINY_MODEL].filter(
    (path) => !existsSync(path),
  )
  if (missing.length > 0)
    throw new Error(`No ${missing.join(', no ')}. Run it as: ./berth test --only SUITE`)
  return {
    entry: {
      id,
      engine: 'embedded',
      model: `file:${TINY_MODEL}`,
      slots: 2,
      engine_options: { embeddings: true },
      ...more,
    },
  }
}

/** A port that was free a moment ago. An engine keeps it over its restarts. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
